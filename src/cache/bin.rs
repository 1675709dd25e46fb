//! One class's place in a thread cache: the main sheaf, open. The spare one lies apart, as no fast path looks at it.
//!
//! # Invariant
//!
//! A bin without sheaves is empty and full at once, so both fast paths leave it alone. Only the cache's
//! thread changes a bin, with one exception: who holds the cache's lock may move the main sheaf's bottom
//! (`bounds.rs`, `idle.rs`), shut the fast path, and take the spare sheaf.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::Acquire, Ordering::Relaxed};

use super::bounds::Bounds;
use super::{Floor, Veil};
use crate::slab::{Object, Sheaf, SheafCell, Slot};
use crate::sys::prefetch;

/// A main sheaf, and what `free` must know about the class.
#[derive(Debug)]
#[repr(C, align(32))]
pub(crate) struct Bin {
    pub(super) bounds: Bounds,
    /// See [`crate::slab::class::ClassInfo::divisor`].
    divisor: AtomicU32,
    /// The slab's length less one.
    mask: AtomicU32,
}

const _: () = assert!(size_of::<Bin>() == 32);

/// Whether wrong frees are looked for. Only measurements of what that costs build without.
const CHECKED: bool = !cfg!(unchecked);

/// The bottom of a bin without a main sheaf: nothing lies above it.
const NOTHING: u32 = u32::MAX;

// ORDERING: relaxed throughout this file. A bin belongs to one thread; others read it for
// statistics, where a torn moment does not matter. For the two ends see `bounds.rs`.

impl Bin {
    /// A bin without sheaves and without a class.
    pub(crate) const fn none() -> Self {
        Self {
            bounds: Bounds {
                top: AtomicPtr::new(core::ptr::null_mut()),
                bottom: AtomicU32::new(NOTHING),
                limit: AtomicU32::new(0),
                floor: Floor::new(NOTHING),
                veil: Veil::new(0),
            },
            divisor: AtomicU32::new(0),
            mask: AtomicU32::new(0),
        }
    }

    /// Has it be as [`Self::none`], where it is zeroes: empty also for a signal handler that interrupts a fast path half way.
    pub(super) fn refuse(&self) {
        self.bounds.set_floor(NOTHING);
    }

    /// Tells what `is_start` must know about the class; the bin has no sheaves.
    pub(crate) fn describe(&self, divisor: u32, mask: u32) {
        self.refuse();
        self.divisor.store(divisor, Relaxed);
        self.mask.store(mask, Relaxed);
    }

    /// Takes the newest object of the main sheaf and brings the next one near.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<Object> {
        let top = self.bounds.take()?;
        Some(Self::object_at(top))
    }

    /// The same past the fast path, which may be shut.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<Object> {
        let top = self.bounds.take_past()?;
        Some(Self::object_at(top))
    }

    /// Shuts the fast path of `malloc`, or opens it again; the caller holds the cache's lock.
    pub(super) fn shut(&self, is_shut: bool) {
        self.bounds.shut(is_shut);
    }

    /// The object in a slot that was taken just now.
    #[inline(always)]
    fn object_at(top: *mut Slot) -> Object {
        // SAFETY: above the floor, so `top` is a filled slot of the main sheaf.
        let object = unsafe { top.read() };
        // Without this the caller's first write to its next object misses the cache.
        // SAFETY: below a filled slot lies another, or the header; what is read need not be an object.
        prefetch(unsafe { top.wrapping_sub(1).read() });
        // SAFETY: slots hold objects, which are never null.
        unsafe { NonNull::new_unchecked(object) }
    }

    /// Whether `address` can be the start of an object of this class: by its offset in the slab.
    #[inline(always)]
    pub(crate) fn is_start(&self, address: usize) -> bool {
        let divisor = own(&self.divisor);
        !CHECKED || (address as u32 & own(&self.mask)).wrapping_mul(divisor) < divisor
    }

    /// The same with an instruction fewer, and a load more.
    #[inline(always)]
    pub(crate) fn is_start_of_named(&self, address: usize) -> bool {
        let product = (address as u32 & own(&self.mask)).wrapping_mul(own(&self.divisor));
        // SAFETY: as in `own`. Volatile, so that it is a second load, which the comparison takes in.
        !CHECKED || product < unsafe { self.divisor.as_ptr().read_volatile() }
    }

    /// Puts an object on the main sheaf; `false` if that is full, or if the object is one of the topmost two
    /// already.
    #[inline(always)]
    pub(crate) fn push(&self, object: Slot) -> bool {
        let top = self.bounds.top.load(Relaxed);
        if top as u32 >= own(&self.bounds.limit) {
            return false;
        }
        // What was freed last is what is freed twice most often: in a row, or with its owner between. An
        // empty sheaf has no objects here. What this costs stands in `src/README.md`.
        // SAFETY: not full, so there is a main sheaf, and `top` lies in it or in its header.
        if CHECKED && unsafe { top.read() } == object {
            return false;
        }
        // SAFETY: below a slot there is another, or the header's second word, and below that its first.
        if CHECKED && unsafe { top.wrapping_sub(1).read() } == object {
            return false;
        }
        // SAFETY: not full, so there is a slot above.
        let above = unsafe { top.add(1) };
        // SAFETY: that slot is unused.
        unsafe { above.write(object) };
        self.bounds.put(above);
        true
    }

    /// Whether `object` is one of the next two that `pop` would give.
    pub(crate) fn is_near_top(&self, object: Object) -> bool {
        let top = self.bounds.top.load(Relaxed);
        (0..self.main_count().min(2)).any(|below| {
            // SAFETY: the bin has more filled slots than that.
            let slot = unsafe { top.sub(below) };
            // SAFETY: a filled slot.
            unsafe { slot.read() == object.as_ptr() }
        })
    }

    /// Number of objects in the main sheaf that nobody detached.
    pub(crate) fn main_count(&self) -> usize {
        self.bounds.count()
    }

    /// Whether there is a main sheaf.
    pub(crate) fn has_main(&self) -> bool {
        self.bounds.limit.load(Relaxed) != 0
    }

    /// Number of objects that the main sheaf, of which nothing is detached, has room for.
    pub(crate) fn capacity(&self) -> usize {
        let (floor, limit) = (&self.bounds.floor, &self.bounds.limit);
        let bytes = limit.load(Relaxed).saturating_sub(floor.load(Relaxed));
        bytes as usize / size_of::<Slot>()
    }

    /// The objects of the main sheaf, and `detached` ones below its bottom, as they are at this moment; the caller holds the
    /// cache's lock.
    #[inline]
    pub(crate) fn objects(&self, detached: usize) -> impl Iterator<Item = Slot> {
        // ORDERING: acquire, pairs with `put`: a slot is written before `top` says so.
        let top = self.bounds.top.load(Acquire) as u32;
        let bottom = self.bounds.bottom_place();
        let above = top.saturating_sub(bottom as u32) as usize / size_of::<Slot>();
        let first = bottom.wrapping_add(1).wrapping_sub(detached);
        let count = if self.has_main() { detached + above } else { 0 };
        // SAFETY: a filled slot; its thread may fill it anew meanwhile, and either word will do.
        (0..count).map(move |index| unsafe { first.wrapping_add(index).read_volatile() })
    }

    /// The same for the cache's thread, which takes and gives nothing meanwhile.
    #[inline(always)]
    pub(crate) fn own_objects(&self, detached: usize) -> &[Slot] {
        if !self.has_main() {
            return &[];
        }
        let first = self
            .bounds
            .bottom_place()
            .wrapping_add(1)
            .wrapping_sub(detached);
        // SAFETY: the slots from the detached ones up to the top are filled.
        unsafe { core::slice::from_raw_parts(first, detached + self.main_count()) }
    }

    /// Detaches all objects of the main sheaf and returns how many; the caller holds the cache's lock.
    /// Until that is settled the cache's thread takes none of them.
    pub(crate) fn detach(&self) -> usize {
        self.bounds.detach()
    }

    /// The `count` objects that were detached, so long ago that the cache's thread knows of it, if it took
    /// none. The caller holds the cache's lock.
    pub(crate) fn detached(&self, count: usize) -> Option<&[Slot]> {
        let first = self.bounds.detached(count)?;
        // SAFETY: the slots below the bottom are filled, and the thread takes none of them any more.
        Some(unsafe { core::slice::from_raw_parts(first, count) })
    }

    /// Lets `count` objects that were detached be taken again.
    pub(crate) fn reattach(&self, count: usize) {
        self.bounds.reattach(count);
    }

    /// Closes the gap of `gone` slots below the bottom, whose objects went elsewhere. Only for the
    /// cache's thread.
    pub(crate) fn close_gap(&self, gone: usize) {
        let count = self.main_count();
        let from = self.bounds.bottom_place();
        let to = from.wrapping_sub(gone);
        // SAFETY: both ranges are slots of the main sheaf.
        unsafe { core::ptr::copy(from.wrapping_add(1), to.wrapping_add(1), count) };
        self.bounds.move_to(to, count);
    }

    /// Makes `sheaf` the main sheaf of a bin that has none.
    pub(crate) fn open(&self, sheaf: Sheaf, capacity: usize) {
        debug_assert!(!self.has_main() && sheaf.count() <= capacity);
        let (bottom, count) = (sheaf.bottom(), sheaf.count());
        // `pop` brings what stands below its object near; below the last one this word stands, and
        // only what is an address costs nothing there.
        // SAFETY: the word holds the count, which a main sheaf keeps in `top`.
        unsafe { bottom.write(bottom.as_ptr().cast()) };
        let low = bottom.as_ptr() as u32;
        // SAFETY: a sheaf has its count of slots above the bottom.
        let top = unsafe { bottom.add(count) };
        let limit = low + (capacity * size_of::<Slot>()) as u32;
        self.bounds.top.store(top.as_ptr(), Relaxed);
        self.bounds.limit.store(limit, Relaxed);
        self.bounds.set_floor(low);
    }

    /// Takes the main sheaf out.
    pub(crate) fn close(&self) -> Option<Sheaf> {
        if !self.has_main() {
            return None;
        }
        let count = self.main_count();
        let bottom = NonNull::new(self.bounds.bottom_place())?;
        self.bounds.limit.store(0, Relaxed);
        self.bounds.set_floor(NOTHING);
        self.bounds.top.store(core::ptr::null_mut(), Relaxed);
        // SAFETY: the sheaf was forgotten in `open`; its slots are filled up to `top`.
        Some(unsafe { Sheaf::from_bottom(bottom, count) })
    }

    /// Opens the spare sheaf, if it has objects, and makes the main one the spare.
    pub(crate) fn swap_for_objects(&self, spare: &SheafCell, capacity: usize) -> bool {
        let has_any = spare.count() > 0;
        if has_any {
            self.swap(spare, capacity);
        }
        has_any
    }

    /// Opens the spare sheaf, if there is one with room, and makes the main one the spare.
    pub(crate) fn swap_for_room(&self, spare: &SheafCell, capacity: usize) -> bool {
        let has_room = spare.is_some() && spare.count() < capacity;
        if has_room {
            self.swap(spare, capacity);
        }
        has_room
    }

    fn swap(&self, spare: &SheafCell, capacity: usize) {
        let (main, other) = (self.close(), spare.take());
        if let Some(main) = main {
            spare.put(main);
        }
        if let Some(other) = other {
            self.open(other, capacity);
        }
    }
}

/// Reads a number on the fast path that only the calling thread writes.
#[inline(always)]
pub(super) fn own(number: &AtomicU32) -> u32 {
    // SAFETY: an aligned word that no other thread writes as long as this one lives. An atomic load would do, but the
    // compiler does not fold it into the instruction that uses it.
    unsafe { number.as_ptr().read() }
}
