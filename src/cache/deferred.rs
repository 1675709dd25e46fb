//! Blocks that a signal handler freed while its thread was inside of the allocator: they wait until it has left.
//!
//! # Invariant
//!
//! Only the cache's thread and its handlers come here. A place that is filled is emptied before it is filled again.
#![forbid(unsafe_code)]

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering::Relaxed};

use super::ThreadCache;

/// How many blocks can wait. More are never freed.
const PLACES: usize = 8;

/// The blocks.
#[derive(Debug)]
pub(super) struct Deferred {
    places: [AtomicPtr<u8>; PLACES],
    any: AtomicBool,
}

// ORDERING: relaxed, see the module above.

impl Deferred {
    /// None.
    pub(super) const fn none() -> Self {
        Self {
            places: [const { AtomicPtr::new(null_mut()) }; PLACES],
            any: AtomicBool::new(false),
        }
    }
}

impl ThreadCache {
    /// Has a block freed later.
    #[cold]
    pub(crate) fn defer(&self, block: NonNull<u8>) {
        let places = &self.deferred.places;
        // A handler may interrupt another one here.
        let take = |place: &AtomicPtr<u8>| {
            place
                .compare_exchange(null_mut(), block.as_ptr(), Relaxed, Relaxed)
                .is_ok()
        };
        let _ = places.iter().any(take);
        self.deferred.any.store(true, Relaxed);
    }

    /// Calls `free` with each block that waits.
    #[inline]
    pub(crate) fn take_deferred(&self, free: impl FnMut(NonNull<u8>)) {
        if self.deferred.any.load(Relaxed) {
            self.take_all_deferred(free);
        }
    }

    #[cold]
    fn take_all_deferred(&self, free: impl FnMut(NonNull<u8>)) {
        self.deferred.any.store(false, Relaxed);
        let blocks = self.deferred.places.iter();
        let blocks = blocks.map(|place| place.swap(null_mut(), Relaxed));
        blocks.filter_map(NonNull::new).for_each(free);
    }
}
