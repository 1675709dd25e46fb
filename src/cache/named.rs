//! A thread's bins for the objects of named caches: a table that grows when the thread uses a cache that it has no place for.
//!
//! # Invariant
//!
//! A bin of zeroes is one without sheaves. Only the thread uses its table, and the holder of its cache's lock looks at bins
//! that the thread does not use at that moment: those of a cache that is being destroyed. Where the owners of the home's slabs
//! are is looked up together with the home.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{
    AtomicPtr, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst,
    compiler_fence,
};

use super::bin::Bin;
use super::{ThreadCache, own};
use crate::layout::{Part, part};
use crate::slab::{Handles, Object, SheafCell, SlabTables};
use crate::units::GRANULE_SHIFT;

/// The bins and what the fast paths must know of the home's named slabs, in one line of the processor's cache; zero is a
/// thread that has none.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct NamedBins {
    /// The handle of the cache whose bin is the first, and bytes of all bins.
    first: AtomicUsize,
    bytes: AtomicUsize,
    /// The bins. After them there are [`Notes`] of each.
    bins: AtomicPtr<Bin>,
    /// The handle after the last bin's.
    end: AtomicUsize,
    /// Where the bins would begin if a handle were the offset of its bin.
    origin: AtomicPtr<Bin>,
    /// The handle of each granule's owner in the home's arena.
    owners: AtomicPtr<AtomicU64>,
    arena_base: AtomicUsize,
    /// Bytes of the arena that `owners` has a word for.
    covered: AtomicUsize,
    /// When objects were detached and by which visitor, as of malloc's bins.
    pub(super) detached_at: AtomicU64,
    pub(super) visitor: AtomicU32,
}

impl NamedBins {
    /// Where the bins are.
    pub(super) const BINS: Part = part!(Self, bins);
    /// Bytes of all bins.
    pub(super) const BYTES: Part = part!(Self, bytes);
}

/// What is known of a bin beside its main sheaf.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Notes {
    /// The other sheaf, closed.
    pub(crate) spare: SheafCell,
    /// How many objects the last refill brought.
    pub(crate) last: AtomicU16,
    /// Objects at the bottom of the main sheaf that are detached, and slots there whose objects went.
    pub(super) detached: AtomicU16,
    pub(super) gaps: AtomicU16,
    /// Whether the thread came by since the last visit.
    pub(super) is_used: AtomicU16,
}

/// Bytes of a bin.
pub(crate) const BIN_BYTES: usize = size_of::<Bin>();
const ENTRY_BYTES: usize = BIN_BYTES + size_of::<Notes>();

const _: () = assert!(Handles::STRIDE == BIN_BYTES);

// ORDERING: relaxed, as in `mod.rs`.

impl NamedBins {
    pub(super) const fn none() -> Self {
        Self {
            first: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            bins: AtomicPtr::new(null_mut()),
            end: AtomicUsize::new(0),
            origin: AtomicPtr::new(null_mut()),
            owners: AtomicPtr::new(null_mut()),
            arena_base: AtomicUsize::new(0),
            covered: AtomicUsize::new(0),
            detached_at: AtomicU64::new(0),
            visitor: AtomicU32::new(0),
        }
    }

    /// Records where the home's arena is, and how far the owners of its slabs reach by now.
    pub(super) fn refresh(&self, arena_base: usize, tables: &SlabTables) {
        let (owners, covered) = tables.handle_map();
        self.arena_base.store(arena_base, Relaxed);
        self.owners.store(owners.cast_mut(), Relaxed);
        self.covered.store(covered, Relaxed);
    }

    /// Has `bytes` of bins from now on, the first of which belongs to the handle `first`.
    fn set(&self, bins: *mut Bin, bytes: usize, first: usize) {
        self.bins.store(bins, Relaxed);
        self.bytes.store(bytes, Relaxed);
        self.first.store(first, Relaxed);
        self.end.store(first + bytes, Relaxed);
        self.origin.store(bins.wrapping_byte_sub(first), Relaxed);
    }

    /// Whether there is a bin at `place`.
    #[inline(always)]
    fn has(&self, place: usize) -> bool {
        place < own(&self.bytes)
    }

    /// The bin at `place`, where there is one. Not an `Option`, which would be tested once more.
    #[inline(always)]
    pub(super) fn bin(&self, place: usize) -> &Bin {
        debug_assert!(self.has(place));
        // SAFETY: inside of the table, which begins with bins, and places are multiples of their length.
        let bin = unsafe { self.bins.load(Relaxed).byte_add(place) };
        // SAFETY: as above; zeroes and what was moved from an older table are bins.
        unsafe { &*bin }
    }

    /// What is known of a bin.
    pub(super) fn notes(&self, place: usize) -> &Notes {
        let bytes = own(&self.bytes);
        debug_assert!(place < bytes);
        let all = self.bins.load(Relaxed).wrapping_byte_add(bytes);
        let notes = all.cast::<Notes>().wrapping_add(place / BIN_BYTES);
        // SAFETY: the table has as many notes as bins, zeroes at first.
        unsafe { &*notes }
    }

    /// Objects at hand in the bin at `place`.
    fn count(&self, place: usize) -> usize {
        let (bin, notes) = (self.bin(place), self.notes(place));
        let detached = usize::from(notes.detached.load(Relaxed));
        bin.main_count() + notes.spare.count() + detached
    }

    /// The places of all bins.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        (0..own(&self.bytes)).step_by(BIN_BYTES)
    }
}

/// Memory of a table.
#[derive(Debug)]
#[must_use = "a dropped table is a leak"]
pub(crate) struct BinTable {
    /// Where it is.
    pub(crate) memory: NonNull<u8>,
    /// Its length.
    pub(crate) bytes: usize,
}

impl ThreadCache {
    /// Takes an object of the cache with this handle. Any other word is a handle of which the thread has no bin. Where there is
    /// no object, the place of the bin, there or not: the fast path need not keep the handle.
    #[inline(always)]
    pub(crate) fn pop_named(&self, handle: usize) -> Result<Object, usize> {
        let place = handle.wrapping_sub(own(&self.named.first));
        if !self.named.has(place) {
            return Err(place);
        }
        self.named.bin(place).pop().ok_or(place)
    }

    /// The handle of which [`Self::pop_named`] gave the place.
    pub(crate) fn handle_at(&self, place: usize) -> usize {
        place.wrapping_add(own(&self.named.first))
    }

    /// Puts an object of this cache's node whose slab is one of the cache with this handle on its bin; `false` for any other
    /// address, and if the bin has no room.
    #[inline(always)]
    pub(crate) fn push_named(&self, handle: usize, block: *mut u8) -> bool {
        let named = &self.named;
        let offset = (block as usize).wrapping_sub(own(&named.arena_base));
        if offset >= own(&named.covered) {
            return false;
        }
        // SAFETY: the table covers the granule.
        let entry = unsafe { named.owners.load(Relaxed).add(offset >> GRANULE_SHIFT) };
        // SAFETY: as above; it lives for ever, and does not change while somebody holds the object. An atomic load would do.
        let owner = unsafe { entry.cast::<u64>().read() };
        // What an object belongs to is a handle of this copy of the library's: only the end is left to look at.
        if owner != handle as u64 || handle >= own(&named.end) {
            return false;
        }
        // SAFETY: the handle is one of those that the table has a bin for.
        let bin = unsafe { &*named.origin.load(Relaxed).wrapping_byte_add(handle) };
        bin.is_start_of_named(block as usize) && bin.push(block)
    }

    /// Runs `change` with the bin at `place` and its notes, of which nothing is detached then, under the cache's lock; `None` if
    /// the thread has no such bin. For the cache's thread, or while it does not use the bin.
    pub(crate) fn with_named<T>(
        &self,
        place: usize,
        change: impl FnOnce(&Bin, &Notes) -> T,
    ) -> Option<T> {
        let _busy = self.busy.lock();
        let is_there = self.named.has(place);
        is_there.then(|| {
            self.named.reattach(place);
            change(self.named.bin(place), self.named.notes(place))
        })
    }

    /// Objects in the bin at `place`, as another thread sees them at this moment.
    pub(crate) fn named_objects(&self, place: usize) -> usize {
        let _busy = self.busy.lock();
        if !self.named.has(place) {
            return 0;
        }
        self.named.count(place)
    }

    /// Tells the place of each bin and how many objects are in it, as of [`Self::named_objects`].
    pub(crate) fn each_named(&self, mut see: impl FnMut(usize, usize)) {
        let _busy = self.busy.lock();
        for place in self.named.places() {
            see(place, self.named.count(place));
        }
    }

    /// Whether a thread of this process or of the one that it was forked from has this cache.
    pub(crate) fn has_owner(&self) -> bool {
        self.owned.load(Relaxed) != 0
    }

    /// Bytes that a table with the bin at `place` needs.
    pub(crate) fn table_bytes_for(place: usize) -> usize {
        ((place / BIN_BYTES + 1) * ENTRY_BYTES)
            .next_power_of_two()
            .max(512)
    }

    /// Has the thread's bins in this memory of zeroes from now on, which is longer than what they were in; that is the caller's
    /// again.
    pub(crate) fn move_named(&self, new: BinTable, handles: Handles) -> Option<BinTable> {
        let _busy = self.busy.lock();
        let (old, old_bytes) = (self.named.bins.load(Relaxed), own(&self.named.bytes));
        let bytes = new.bytes / ENTRY_BYTES * BIN_BYTES;
        debug_assert!(bytes > old_bytes);
        let bins = new.memory.cast::<Bin>().as_ptr();
        if let Some(old) = NonNull::new(old) {
            // SAFETY: two tables, the longer one nobody's yet. Bins may be moved: what they refer to does not refer back.
            unsafe {
                core::ptr::copy_nonoverlapping(old.as_ptr().cast::<u8>(), bins.cast(), old_bytes)
            };
        }
        let notes = old_bytes / BIN_BYTES * size_of::<Notes>();
        let new_notes = bins.wrapping_byte_add(bytes).cast::<u8>();
        if !old.is_null() {
            let from = old.wrapping_byte_add(old_bytes).cast::<u8>();
            // SAFETY: as above, for the notes after the bins.
            unsafe { core::ptr::copy_nonoverlapping(from, new_notes, notes) };
        }
        self.named.set(bins, bytes, handles.first());
        Some(BinTable {
            memory: NonNull::new(old)?.cast(),
            bytes: table_length(old_bytes),
        })
    }

    /// Takes the table, whose bins are all without sheaves; `None` if there is none.
    pub(crate) fn leave_named(&self) -> Option<BinTable> {
        let _busy = self.busy.lock();
        let bins = NonNull::new(self.named.bins.load(Relaxed))?;
        let bytes = own(&self.named.bytes);
        self.named.set(null_mut(), 0, 0);
        self.named.detached_at.store(0, Relaxed);
        Some(BinTable {
            memory: bins.cast(),
            bytes: table_length(bytes),
        })
    }

    /// Runs what is the program's and may allocate, while this cache's thread holds no lock of ours.
    pub(crate) fn outside<T>(&self, run: impl FnOnce() -> T) -> T {
        let before = self.inside.swap(0, Relaxed);
        compiler_fence(SeqCst);
        let answer = run();
        compiler_fence(SeqCst);
        self.inside.store(before, Relaxed);
        answer
    }

    /// Bytes of the thread's bins.
    pub(crate) fn named_bytes(&self) -> usize {
        own(&self.named.bytes)
    }
}

/// The length of the table for `bytes` of bins.
fn table_length(bin_bytes: usize) -> usize {
    (bin_bytes / BIN_BYTES * ENTRY_BYTES).next_power_of_two()
}
