//! A thread's bins for the objects of named caches: a table that grows when the thread uses a cache that it has no place for.
//!
//! # Invariant
//!
//! A bin of zeroes is one without sheaves. Only the thread uses its table, and whoever holds its cache's lock looks at bins
//! that the thread does not use at that moment: those of a cache that is being destroyed. Where the owners of the home's slabs
//! are is looked up together with the home.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{
    AtomicPtr, AtomicU16, AtomicU32, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst,
    compiler_fence,
};

use super::bin::Bin;
use super::{ThreadCache, own};
use crate::layout::{Part, part};
use crate::slab::{Object, SlabTables};
use crate::units::GRANULE_SHIFT;

/// The bins and what the fast path must know of the home's named slabs; zero is a thread that has none.
#[derive(Debug)]
pub(super) struct NamedBins {
    bins: AtomicPtr<Bin>,
    /// Bytes of all bins. After them there is a number for each: how many objects its last refill brought.
    bytes: AtomicUsize,
    owners: AtomicPtr<AtomicU32>,
    /// Bytes of the home's arena that `owners` has a word for.
    covered: AtomicUsize,
}

impl NamedBins {
    /// Where the bins are.
    pub(super) const BINS: Part = part!(Self, bins);
    /// Bytes of all bins.
    pub(super) const BYTES: Part = part!(Self, bytes);
}

/// Bytes of a bin, and of its number.
pub(crate) const BIN_BYTES: usize = size_of::<Bin>();
const ENTRY_BYTES: usize = BIN_BYTES + size_of::<AtomicU16>();

// ORDERING: relaxed, as in `mod.rs`.

impl NamedBins {
    pub(super) const fn none() -> Self {
        Self {
            bins: AtomicPtr::new(null_mut()),
            bytes: AtomicUsize::new(0),
            owners: AtomicPtr::new(null_mut()),
            covered: AtomicUsize::new(0),
        }
    }

    /// Takes note of how far the owners of a home's slabs reach by now.
    pub(super) fn look(&self, tables: &SlabTables) {
        let (owners, covered) = tables.owner_map();
        self.owners.store(owners.cast_mut(), Relaxed);
        self.covered.store(covered, Relaxed);
    }

    /// Whether there is a bin at `place`.
    #[inline(always)]
    fn has(&self, place: usize) -> bool {
        place < own(&self.bytes)
    }

    /// The bin at `place`, where there is one. Not an `Option`, which would be tested once more.
    #[inline(always)]
    fn bin(&self, place: usize) -> &Bin {
        debug_assert!(self.has(place));
        // SAFETY: inside of the table, which begins with bins, and places are multiples of their length.
        let bin = unsafe { self.bins.load(Relaxed).byte_add(place) };
        // SAFETY: as above; zeroes and what was moved from an older table are bins.
        unsafe { &*bin }
    }

    /// How many objects the last refill of a bin brought.
    fn last_refill(&self, place: usize) -> &AtomicU16 {
        let bytes = own(&self.bytes);
        debug_assert!(place < bytes);
        let numbers = self.bins.load(Relaxed).wrapping_byte_add(bytes);
        let number = numbers.cast::<AtomicU16>().wrapping_add(place / BIN_BYTES);
        // SAFETY: the table has as many numbers as bins.
        unsafe { &*number }
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
    /// Takes an object from the bin at `place`, a multiple of [`BIN_BYTES`].
    #[inline(always)]
    pub(crate) fn pop_named(&self, place: usize) -> Option<Object> {
        if !self.named.has(place) {
            return None;
        }
        self.named.bin(place).pop()
    }

    /// Puts an object of this cache's node whose slab has the `owner` on the bin at `place`; `false` for any other address, and
    /// if the bin has no room.
    #[inline(always)]
    pub(crate) fn push_named(&self, place: usize, owner: u32, block: *mut u8) -> bool {
        if !self.named.has(place) {
            return false;
        }
        let bin = self.named.bin(place);
        let offset = (block as usize).wrapping_sub(own(&self.arena_base));
        if offset >= own(&self.named.covered) {
            return false;
        }
        // SAFETY: the table covers the granule.
        let entry = unsafe { self.named.owners.load(Relaxed).add(offset >> GRANULE_SHIFT) };
        // SAFETY: as above; it lives for ever, and does not change while somebody holds the object. An atomic load would do.
        let known = unsafe { entry.cast::<u32>().read() };
        known == owner && bin.is_start(block as usize) && bin.push(block)
    }

    /// Runs `change` with the bin at `place` and the number of its last refill, under the cache's lock; `None` if the thread has
    /// no such bin.
    pub(crate) fn with_named<T>(
        &self,
        place: usize,
        change: impl FnOnce(&Bin, &AtomicU16) -> T,
    ) -> Option<T> {
        let _busy = self.busy.lock();
        let is_there = self.named.has(place);
        is_there.then(|| change(self.named.bin(place), self.named.last_refill(place)))
    }

    /// Objects in the bin at `place`, as another thread sees them at this moment.
    pub(crate) fn named_stock(&self, place: usize) -> usize {
        self.with_named(place, |bin, _| bin.count()).unwrap_or(0)
    }

    /// Bytes that a table with the bin at `place` needs.
    pub(crate) fn table_bytes_for(place: usize) -> usize {
        ((place / BIN_BYTES + 1) * ENTRY_BYTES)
            .next_power_of_two()
            .max(512)
    }

    /// Has the thread's bins in this memory of zeroes from now on, which is longer than what they were in; that is the caller's
    /// again.
    pub(crate) fn move_named(&self, new: BinTable) -> Option<BinTable> {
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
        let refills = old_bytes / BIN_BYTES * size_of::<AtomicU16>();
        let numbers = bins.wrapping_byte_add(bytes).cast::<u8>();
        if !old.is_null() {
            let from = old.wrapping_byte_add(old_bytes).cast::<u8>();
            // SAFETY: as above, for the numbers after the bins.
            unsafe { core::ptr::copy_nonoverlapping(from, numbers, refills) };
        }
        self.named.bins.store(bins, Relaxed);
        self.named.bytes.store(bytes, Relaxed);
        Some(BinTable {
            memory: NonNull::new(old)?.cast(),
            bytes: table_length(old_bytes),
        })
    }

    /// Takes the table, whose bins are all without sheaves; `None` if there is none.
    pub(crate) fn leave_named(&self) -> Option<BinTable> {
        let _busy = self.busy.lock();
        let bins = NonNull::new(self.named.bins.swap(null_mut(), Relaxed))?;
        let bytes = own(&self.named.bytes);
        self.named.bytes.store(0, Relaxed);
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

/// The length of the table with so many bytes of bins.
fn table_length(bin_bytes: usize) -> usize {
    (bin_bytes / BIN_BYTES * ENTRY_BYTES).next_power_of_two()
}
