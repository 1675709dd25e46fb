//! Counting every byte that a thread allocates, while the heap is profiled: the fast path of `malloc` is shut then, and all calls
//! come by a second one, which counts. `free` stays as it is.
//!
//! # Invariant
//!
//! `left` is 0 where nothing is counted. The bins are shut and opened under the cache's lock; a thread that finds one open
//! takes from it uncounted until its next slow path.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::ThreadCache;
use crate::slab::{Object, class};
use crate::units::ClassId;

/// What became of bytes that were to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Nothing is counted.
    Off,
    /// They are counted.
    Done,
    /// They are counted, and the byte at which a sample is due was one of them.
    Due,
}

// ORDERING: relaxed, see `mod.rs`. Who turns counting on or off may write `left` beside the thread: then either number holds, and the
// next sample that is due sets it right.

impl ThreadCache {
    /// Counts the bytes of a block, of which a block without any has one.
    #[inline(always)]
    pub(crate) fn count(&self, bytes: usize) -> Counted {
        match self.left_after(bytes) {
            Some(left) => {
                self.left.store(left, Relaxed);
                Counted::Done
            }
            None if self.left.load(Relaxed) == 0 => Counted::Off,
            None => Counted::Due,
        }
    }

    /// Takes an object for `bytes` from the main sheaf that serves them, past the fast path, and counts the bytes; `None`, with nothing
    /// counted, where there is none, where a sample is due, and where nothing is counted.
    #[inline(always)]
    pub(crate) fn take_counted(&self, bytes: usize) -> Option<Object> {
        let left = self.left_after(bytes)?;
        let object = match bytes <= class::FINE_LIMIT {
            true => self.fine_bin(bytes).take(),
            false => self.take(class::coarse_class_of(bytes)),
        }?;
        self.left.store(left, Relaxed);
        Some(object)
    }

    /// The same of class `id`.
    #[inline(always)]
    pub(crate) fn take_class_counted(&self, id: ClassId, bytes: usize) -> Option<Object> {
        let left = self.left_after(bytes)?;
        let object = self.take(id)?;
        self.left.store(left, Relaxed);
        Some(object)
    }

    /// What is left after these bytes; `None` if a sample is due, and where nothing is counted.
    #[inline(always)]
    fn left_after(&self, bytes: usize) -> Option<u64> {
        let left = self.left.load(Relaxed).checked_sub(bytes.max(1) as u64);
        left.filter(|left| *left != 0)
    }

    /// Takes an object of class `id` from the main sheaf, past the fast path.
    #[inline(always)]
    pub(crate) fn take(&self, id: ClassId) -> Option<Object> {
        self.bin(id).take()
    }

    /// Has a sample be due after `bytes` more, not 0. For the cache's thread.
    pub(crate) fn count_on(&self, bytes: u64) {
        self.left.store(bytes.max(1), Relaxed);
    }

    /// Begins to count, with a sample after `bytes`, or ends that; from any thread.
    pub(crate) fn set_counting(&self, bytes: Option<u64>) {
        let _busy = self.busy.lock();
        self.left
            .store(bytes.map_or(0, |bytes| bytes.max(1)), Relaxed);
        for id in class::every() {
            self.bin(id).shut(bytes.is_some());
        }
    }
}
