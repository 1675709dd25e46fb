//! An arena's counts that others read without its lock.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::Arena;
use crate::units::PAGE_SIZE;

impl Arena {
    /// Adds to the number of free dirty pages, under the lock; what it is then.
    pub(super) fn add_dirty(&self, change: isize) -> usize {
        let dirty = self.dirty_pages().saturating_add_signed(change);
        // ORDERING: relaxed; the lock orders who changes it.
        self.dirty.store(dirty, Relaxed);
        dirty
    }

    /// Adds to the number of lent pages, under the lock.
    pub(super) fn add_used(&self, change: isize) {
        let used = self.used.load(Relaxed).saturating_add_signed(change);
        // ORDERING: relaxed, as in `add_dirty`.
        self.used.store(used, Relaxed);
    }

    /// Pages that have memory, lent or not.
    pub(crate) fn touched_pages(&self) -> usize {
        // ORDERING: relaxed, a number that decides whether to purge.
        self.used.load(Relaxed) + self.dirty_pages()
    }

    /// By how many pages it has grown beyond what it had recently, wrapping.
    #[inline]
    pub(crate) fn growth(&self) -> u32 {
        self.growth.count()
    }

    /// Whether so much was added, or is free, that it is time to give something back for that.
    pub(crate) fn has_grown(&self) -> bool {
        self.growth.is_due(self.used_pages())
    }

    /// Bytes that are lent.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used_pages() * PAGE_SIZE
    }

    /// Pages that are lent.
    pub(super) fn used_pages(&self) -> usize {
        // ORDERING: as above.
        self.used.load(Relaxed)
    }

    /// Free pages that still have memory.
    pub(crate) fn dirty_pages(&self) -> usize {
        // ORDERING: relaxed, a number that decides whether to purge.
        self.dirty.load(Relaxed)
    }
}
