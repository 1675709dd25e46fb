//! One class's place in a thread cache: the main sheaf, open, and the spare one.
//!
//! # Invariant
//!
//! `top` points to the last filled slot of the main sheaf; its lower half equals `bottom` when
//! the sheaf is empty and `limit` when it is full. All zero is a bin without sheaves: empty and
//! full at once, so both fast paths leave it alone. Only the cache's thread changes a bin, or who
//! holds the cache's lock while that thread cannot run.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::Relaxed};

use crate::slab::{Object, Sheaf, SheafCell, Slot};
use crate::sys::prefetch;

/// A main and a spare sheaf, and what `free` must know about the class.
#[derive(Debug)]
#[repr(C, align(32))]
pub(crate) struct Bin {
    top: AtomicPtr<Slot>,
    bottom: AtomicU32,
    limit: AtomicU32,
    /// See [`crate::slab::class::ClassInfo::divisor`].
    divisor: AtomicU32,
    /// The slab's length less one.
    mask: AtomicU32,
    /// The other sheaf, closed.
    pub(crate) spare: SheafCell,
}

const _: () = assert!(size_of::<Bin>() == 32);

// ORDERING: relaxed throughout this file. A bin belongs to one thread; others read it for
// statistics, where a torn moment does not matter.

impl Bin {
    /// A bin without sheaves and without a class.
    pub(crate) const fn none() -> Self {
        Self {
            top: AtomicPtr::new(core::ptr::null_mut()),
            bottom: AtomicU32::new(0),
            limit: AtomicU32::new(0),
            divisor: AtomicU32::new(0),
            mask: AtomicU32::new(0),
            spare: SheafCell::empty(),
        }
    }

    /// Tells what `is_start` must know about the class.
    pub(crate) fn describe(&self, divisor: u32, mask: u32) {
        self.divisor.store(divisor, Relaxed);
        self.mask.store(mask, Relaxed);
    }

    /// Takes the newest object of the main sheaf and brings the next one near.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<Object> {
        let top = self.top.load(Relaxed);
        if top as u32 == own(&self.bottom) {
            return None;
        }
        // SAFETY: not empty, so `top` is a filled slot of the main sheaf.
        let object = unsafe { top.read() };
        // SAFETY: below a filled slot lies another, or the header.
        let below = unsafe { top.sub(1) };
        self.top.store(below, Relaxed);
        // Without this the caller's first write to its next object misses the cache.
        // SAFETY: as above; what is read there need not be an object.
        prefetch(unsafe { below.read() });
        // SAFETY: slots hold objects, which are never null.
        Some(unsafe { NonNull::new_unchecked(object) })
    }

    /// Whether `address` can be the start of an object of this class: by its offset in the slab.
    #[inline(always)]
    pub(crate) fn is_start(&self, address: usize) -> bool {
        let divisor = own(&self.divisor);
        (address as u32 & own(&self.mask)).wrapping_mul(divisor) < divisor
    }

    /// Puts an object on the main sheaf; `false` if that is full, or if the object is on top already.
    #[inline(always)]
    pub(crate) fn push(&self, object: Slot) -> bool {
        let top = self.top.load(Relaxed);
        if top as u32 == own(&self.limit) {
            return false;
        }
        // The object that was freed last is the one most often freed twice. An empty sheaf has its
        // own address here, which is no object. What this costs stands in `src/README.md`.
        // SAFETY: not full, so there is a main sheaf, and `top` lies in it or in its header.
        if unsafe { top.read() } == object {
            return false;
        }
        // SAFETY: not full, so there is a slot above.
        let above = unsafe { top.add(1) };
        // SAFETY: that slot is unused.
        unsafe { above.write(object) };
        self.top.store(above, Relaxed);
        true
    }

    /// Whether `object` is what `pop` would give.
    pub(crate) fn is_on_top(&self, object: Object) -> bool {
        // SAFETY: as in `pop`; `main_count` is not 0, so there is a filled slot.
        self.main_count() > 0 && unsafe { self.top.load(Relaxed).read() } == object.as_ptr()
    }

    /// Number of objects in both sheaves.
    pub(crate) fn count(&self) -> usize {
        self.main_count() + self.spare.count()
    }

    /// Number of objects in the main sheaf.
    pub(crate) fn main_count(&self) -> usize {
        let top = self.top.load(Relaxed);
        if top.is_null() {
            return 0;
        }
        (top as u32).wrapping_sub(self.bottom.load(Relaxed)) as usize / size_of::<Slot>()
    }

    /// Whether there is a main sheaf.
    pub(crate) fn has_main(&self) -> bool {
        !self.top.load(Relaxed).is_null()
    }

    /// Number of objects that the main sheaf has room for.
    pub(crate) fn capacity(&self) -> usize {
        let bytes = self
            .limit
            .load(Relaxed)
            .wrapping_sub(self.bottom.load(Relaxed));
        bytes as usize / size_of::<Slot>()
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
        self.bottom.store(low, Relaxed);
        self.limit
            .store(low + (capacity * size_of::<Slot>()) as u32, Relaxed);
        // SAFETY: a sheaf has its count of slots above the bottom.
        let top = unsafe { bottom.add(count) };
        self.top.store(top.as_ptr(), Relaxed);
    }

    /// Takes the main sheaf out.
    pub(crate) fn close(&self) -> Option<Sheaf> {
        let count = self.main_count();
        let top = NonNull::new(self.top.load(Relaxed))?;
        self.top.store(core::ptr::null_mut(), Relaxed);
        self.bottom.store(0, Relaxed);
        self.limit.store(0, Relaxed);
        // SAFETY: the bottom lies `count` slots below the top.
        let bottom = unsafe { top.sub(count) };
        // SAFETY: the sheaf was forgotten in `open`; its slots are filled up to `top`.
        Some(unsafe { Sheaf::from_bottom(bottom, count) })
    }

    /// Opens the spare sheaf and makes the main one the spare.
    pub(crate) fn swap(&self, capacity: usize) {
        let (main, spare) = (self.close(), self.spare.take());
        if let Some(main) = main {
            self.spare.put(main);
        }
        if let Some(spare) = spare {
            self.open(spare, capacity);
        }
    }
}

/// Reads a number that the calling thread alone writes.
#[inline(always)]
fn own(number: &AtomicU32) -> u32 {
    // SAFETY: nobody writes meanwhile. An atomic load would do, but the compiler does not fold it
    // into the instruction that uses it.
    unsafe { number.as_ptr().read() }
}
