//! What purging gives memory back from: the heap and the named caches.
#![forbid(unsafe_code)]

use crate::decay::{Budget, Elapsed};
use crate::heap::Heap;
use crate::kmem::Kmem;

/// Both, of a process.
#[derive(Clone, Copy)]
pub(super) struct Memory<'process> {
    pub(super) heap: &'process Heap,
    pub(super) kmem: Option<&'process Kmem>,
}

impl Memory<'_> {
    /// Gives back what named caches did not need for some time.
    pub(super) fn decay_named(self, elapsed: Elapsed, is_in_call: bool) {
        if let Some(kmem) = self.kmem {
            let mut budget = match is_in_call {
                true => Budget::of_a_call(),
                false => Budget::unlimited(),
            };
            kmem.decay(elapsed, &mut budget);
        }
    }
}
