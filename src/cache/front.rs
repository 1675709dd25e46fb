//! A front: a cache without memory that stands before a thread's own, so that every call takes the slow paths.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{ThreadCache, Ties};
use crate::slab::class;

/// Sorts of blocks: all classes, large and huge ones.
const SORTS: usize = class::CLASSES + 2;

/// A cache that knows no size and no address, and what is counted for each sort of blocks.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Front {
    cache: ThreadCache,
    turns: [AtomicU32; SORTS],
}

// ORDERING: relaxed, see the module above.

impl ThreadCache {
    /// A front before this cache; `None` where there is no memory for one.
    pub(crate) fn front(&'static self, ties: Ties) -> Option<&'static Self> {
        let front = match self.front.get() {
            Some(front) => front,
            None => ties.home.metadata().zeroed::<Front>()?,
        };
        front.cache.behind.set(Some(self));
        self.front.set(Some(front));
        Some(&front.cache)
    }

    /// The cache behind this one, if it is a front.
    pub(crate) fn behind(&self) -> Option<&'static Self> {
        self.behind.get()
    }

    /// Takes note of the thread's number: its place in the order in which threads came to have a cache. The kernel's
    /// number would be a question to the kernel, which a thread in a sandbox may not ask.
    pub(crate) fn note_thread(&self, number: usize) {
        self.thread.store(number as u32, Relaxed);
    }

    /// The thread's number, 0 if nobody took note of it.
    pub(crate) fn thread(&self) -> u32 {
        self.thread.load(Relaxed)
    }

    /// Counts a block of that sort; whether it is the last of `share`. Always `false` without a front.
    pub(crate) fn is_turn(&self, sort: usize, share: u32) -> bool {
        let turn = self.front.get().and_then(|front| front.turns.get(sort));
        turn.is_some_and(|turn| {
            let count = turn.load(Relaxed) + 1;
            let is_last = count >= share;
            turn.store(if is_last { 0 } else { count }, Relaxed);
            is_last
        })
    }
}
