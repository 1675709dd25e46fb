//! What purging gives memory back from: the heap, the named caches and the pools.
#![forbid(unsafe_code)]

use super::threads::CACHES;
use crate::cache::{Haste, ThreadCache};
use crate::decay::{Budget, Elapsed};
use crate::heap::Heap;
use crate::kmem::Kmem;
use crate::pool::Pools;

/// All of them, of a process.
#[derive(Clone, Copy)]
pub(super) struct Memory<'process> {
    pub(super) heap: &'process Heap,
    pub(super) kmem: Option<&'process Kmem>,
    pub(super) pools: Option<&'process Pools>,
}

impl Memory<'_> {
    /// Takes back what a thread has at hand and does not use; the bytes that went, and those that are left.
    pub(super) fn visit(
        self,
        thread: &'static ThreadCache,
        haste: Haste,
        budget: &mut Budget,
    ) -> (usize, usize) {
        let went = thread.visit(haste, budget);
        let left = thread.parked_bytes();
        match self.kmem {
            Some(kmem) => {
                let before = kmem.parked(thread).0;
                kmem.visit(thread, haste, budget);
                let after = kmem.parked(thread).0;
                (went + before.saturating_sub(after), left + after)
            }
            None => (went, left),
        }
    }

    /// Gives back what named caches, and pools that are gone, did not need for some time.
    pub(super) fn decay_named(self, elapsed: Elapsed, is_in_call: bool) {
        if let Some(kmem) = self.kmem {
            let mut budget = match is_in_call {
                true => Budget::of_a_call(),
                false => Budget::unlimited(),
            };
            kmem.visit_unowned(&CACHES, &mut budget);
            kmem.decay(elapsed, &mut budget);
        }
        self.pools.inspect(|pools| _ = pools.decay(elapsed));
    }
}
