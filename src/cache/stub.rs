//! A stub: a cache without memory that stands in for a thread's own, so that every call takes the slow paths.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::sources::Sources;
use super::{Bin, Binding, ThreadCache};
use crate::slab::class;

/// Sorts of blocks: all classes, large and huge ones.
const SORTS: usize = class::CLASSES + 2;

/// A cache that knows no size and no address, what is counted for each sort of blocks, and where blocks come from instead.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Stub {
    cache: ThreadCache,
    turns: [AtomicU32; SORTS],
    sources: Sources,
}

impl Stub {
    pub(super) const fn sources(&self) -> &Sources {
        &self.sources
    }
}

// ORDERING: relaxed, see the module above.

impl ThreadCache {
    /// A stub for this cache; `None` where there is no memory for one.
    pub(crate) fn stub(&'static self, binding: Binding) -> Option<&'static Self> {
        let stub = match self.stub.get() {
            Some(stub) => stub,
            None => {
                let stub = binding.home.metadata().zeroed::<Stub>()?;
                stub.cache.bins.iter().for_each(Bin::refuse);
                stub
            }
        };
        stub.cache.stubbed.set(Some(self));
        self.stub.set(Some(stub));
        Some(&stub.cache)
    }

    /// Whether it is no thread's: neither a cache with memory nor a stub for one.
    pub(crate) fn is_vacant(&self) -> bool {
        self.heap.get().is_none() && self.stubbed().is_none()
    }

    /// The cache that this one is a stub for, if it is one.
    pub(crate) fn stubbed(&self) -> Option<&'static Self> {
        self.stubbed.get()
    }

    /// Records the thread's number: its place in the order in which threads came to have a cache. The kernel's
    /// number would be a question to the kernel, which a thread in a sandbox may not ask.
    pub(crate) fn note_thread(&self, number: usize) {
        self.thread.store(number as u32, Relaxed);
    }

    /// The thread's number, 0 if nobody took note of it.
    pub(crate) fn thread(&self) -> u32 {
        self.thread.load(Relaxed)
    }

    /// Counts a block of that sort; returns whether it is the last of `share`. Always `false` without a stub.
    pub(crate) fn is_turn(&self, sort: usize, share: u32) -> bool {
        let turn = self.stub.get().and_then(|stub| stub.turns.get(sort));
        turn.is_some_and(|turn| {
            let count = turn.load(Relaxed) + 1;
            let is_last = count >= share;
            turn.store(if is_last { 0 } else { count }, Relaxed);
            is_last
        })
    }
}
