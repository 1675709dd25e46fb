//! A table: an array over a region, committed from the front as it grows.
//!
//! # Invariant
//!
//! Every entry below `ready` is committed memory that was zero at first. `ready` only grows.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::{Region, abort, page_size};
use crate::units::align_up;

/// A type of which zeroed memory is a value, and which is changed through shared references.
///
/// # Safety
///
/// All-zero bytes are a valid value, and the type is made of atomics.
pub(crate) unsafe trait ZeroInit: Sync {}

// SAFETY: zero is a number.
unsafe impl ZeroInit for core::sync::atomic::AtomicU8 {}
// SAFETY: as above.
unsafe impl ZeroInit for core::sync::atomic::AtomicU32 {}
// SAFETY: as above.
unsafe impl ZeroInit for core::sync::atomic::AtomicU64 {}

/// An array of `T` over reserved memory.
#[derive(Debug)]
pub(crate) struct Table<T> {
    region: Region,
    pub(super) entries: NonNull<T>,
    pub(super) ready: AtomicUsize,
    committed: AtomicUsize,
}

// SAFETY: a table hands out only shared references to `T: Sync`.
unsafe impl<T: ZeroInit> Send for Table<T> {}
// SAFETY: as above.
unsafe impl<T: ZeroInit> Sync for Table<T> {}

impl<T: ZeroInit> Table<T> {
    /// Bytes to reserve for `entries`, a multiple of the largest OS page.
    pub(crate) const fn bytes_for(entries: usize) -> usize {
        (entries * size_of::<T>()).next_multiple_of(1 << 16)
    }

    /// A table over the whole of `region`, with no entry ready yet.
    pub(crate) fn new(region: Region) -> Self {
        let entries = region.at(0).cast::<T>();
        debug_assert!(entries.is_aligned());
        Self {
            region,
            entries,
            ready: AtomicUsize::new(0),
            committed: AtomicUsize::new(0),
        }
    }

    /// A table over the whole of `region`, of which everything is committed and nothing written to.
    pub(crate) fn committed(region: Region) -> Self {
        let (bytes, table) = (region.bytes(), Self::new(region));
        // ORDERING: relaxed, nobody else knows the table yet.
        table.committed.store(bytes, Ordering::Relaxed);
        // ORDERING: as above.
        table.ready.store(bytes / size_of::<T>(), Ordering::Relaxed);
        table
    }

    /// Number of usable entries.
    pub(crate) fn ready(&self) -> usize {
        // ORDERING: pairs with the release in `grow`; an entry below is committed memory.
        self.ready.load(Ordering::Acquire)
    }

    /// Makes the entries below `entries` usable; the caller holds the lock that growth is under.
    pub(crate) fn grow(&self, entries: usize) -> bool {
        if entries <= self.ready() {
            return true;
        }
        let Some(end) = align_up(entries * size_of::<T>(), page_size()) else {
            return false;
        };
        // ORDERING: relaxed, written and read under the caller's lock only.
        let start = self.committed.load(Ordering::Relaxed);
        if end > start {
            if end > self.region.most() || !self.region.commit(start, end) {
                return false;
            }
            self.committed.store(end, Ordering::Relaxed);
        }
        // The rest of the last page is usable too, as far as whole entries go.
        let ready = (end.max(start)).min(self.region.most()) / size_of::<T>();
        // ORDERING: release, so that who sees the new length sees the memory committed.
        self.ready.store(ready, Ordering::Release);
        true
    }

    /// The entry at `index`, which is ready.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> &T {
        match self.find(index) {
            Some(entry) => entry,
            None => abort(),
        }
    }

    /// The entry at `index`, if it is ready.
    #[inline]
    pub(crate) fn find(&self, index: usize) -> Option<&T> {
        if index >= self.ready() {
            return None;
        }
        // SAFETY: below `ready`, so inside the region.
        let entry = unsafe { self.entries.add(index) };
        // SAFETY: committed, and zeroed memory is a `T`.
        Some(unsafe { entry.as_ref() })
    }

    /// Gives the address space of the entries from `entries` on back, which are not ready; the
    /// caller holds the lock that growth is under.
    pub(crate) fn shrink(&self, entries: usize) {
        let used = self.committed_bytes().max(self.region.open);
        let bytes = Self::bytes_for(entries).max(used.next_multiple_of(1 << 16));
        if bytes < self.region.bytes() {
            let _ = self.region.shrink(bytes);
        }
    }

    /// How many entries lie in a page of the operating system.
    pub(crate) fn entries_in_page() -> usize {
        (page_size() / size_of::<T>()).max(1)
    }

    /// Gives the memory of the next page that begins with the entry at `first` back; its entries are
    /// zero then, which is what they were at first. Whether that was possible.
    pub(crate) fn forget_page(&self, first: usize) -> bool {
        let start = first * size_of::<T>();
        let end = start + page_size();
        let is_whole = start.is_multiple_of(page_size()) && end <= self.committed_bytes();
        is_whole && self.region.purge(start, end)
    }

    /// Gives the memory of a table that is not needed any more back to the kernel.
    pub(crate) fn purge(self) {
        let committed = self.committed_bytes();
        let _ = self.region.purge(0, committed);
    }

    /// Gives a table that has no entry ready yet back, with its addresses.
    pub(crate) fn give_back(self) {
        self.region.give_back();
    }

    /// The first entry's address, for the fast path.
    pub(crate) fn as_ptr(&self) -> *const T {
        self.entries.as_ptr()
    }

    /// Bytes that are committed.
    pub(crate) fn committed_bytes(&self) -> usize {
        // ORDERING: relaxed, a number for statistics.
        self.committed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU8;

    #[test]
    fn a_table_is_as_large_as_it_has_grown() {
        let region = || Region::reserve(1 << 20, 0, 1 << 16).unwrap();
        let mut open = region();
        assert!(open.open(1 << 17));
        for table in [Table::<AtomicU8>::new(open), Table::new(region())] {
            assert!(table.grow(1) && table.grow(1 << 16));
            assert_eq!((table.committed_bytes(), table.ready()), (1 << 16, 1 << 16));
            assert!(table.grow(1 << 20) && !table.grow((1 << 20) + 1));
            table.get((1 << 20) - 1).store(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_table_grows_from_the_front_and_keeps_what_it_holds() {
        let bytes = Table::<AtomicU8>::bytes_for(200_000);
        let table = Table::<AtomicU8>::new(Region::reserve(bytes, 0, 1 << 16).unwrap());
        assert_eq!(table.ready(), 0);
        assert!(table.grow(1));
        table.get(0).store(9, Ordering::Relaxed);
        assert!(table.grow(200_000));
        assert_eq!(table.get(0).load(Ordering::Relaxed), 9);
        assert_eq!(table.get(199_999).load(Ordering::Relaxed), 0);
        assert!(!table.grow(1 << 30));
        assert!(table.committed_bytes() >= 200_000);
    }
}
