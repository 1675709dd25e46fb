//! How far a visit to all thread caches is, from one call to the next.
//!
//! # Invariant
//!
//! Only who runs a round writes here.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use super::memory::Memory;
use super::threads::CACHES;
use crate::cache::{Haste, ThreadCache};
use crate::decay::Budget;
use crate::sync::StaticRef;

/// Caches of threads that stayed in the parent of a fork which a round takes back.
const ADOPTED: usize = 8;

/// A visit to all caches between two calls.
#[derive(Debug)]
pub(super) struct Visits {
    pub(super) is_on: AtomicBool,
    /// The cache that was visited last.
    last: StaticRef<ThreadCache>,
    /// Bytes that were left in caches.
    parked: AtomicUsize,
}

// ORDERING: relaxed; the flag that says who runs a round orders it.

impl Visits {
    /// None goes on.
    pub(super) fn over() -> Self {
        Self {
            is_on: AtomicBool::new(false),
            last: StaticRef::none(),
            parked: AtomicUsize::new(0),
        }
    }

    /// Goes on within the budget; returns the bytes that went, and those that are left in all caches once the last was
    /// visited.
    pub(super) fn go_on(
        &self,
        memory: Memory<'_>,
        haste: Haste,
        budget: &mut Budget,
    ) -> (usize, Option<usize>) {
        let mut bytes = 0;
        while self.is_on.load(Relaxed) && !budget.is_spent() {
            let Some(cache) = CACHES.next(self.last.get()) else {
                self.is_on.store(false, Relaxed);
                return (bytes, Some(self.parked.load(Relaxed)));
            };
            self.last.set(Some(cache));
            let (went, left) = memory.visit(cache, haste, budget);
            bytes += went;
            self.parked.fetch_add(left, Relaxed);
        }
        (bytes, None)
    }

    pub(super) fn begin(&self) {
        CACHES.reap(usize::MAX);
        CACHES.adopt_orphans(ADOPTED);
        self.last.set(None);
        self.parked.store(0, Relaxed);
        self.is_on.store(true, Relaxed);
    }
}
