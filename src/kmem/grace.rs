//! Grace periods: what was empty when one began goes when it has ended, and nothing of a type-safe cache goes without.
//!
//! # Invariant
//!
//! A structure that is no cache any more serves another one only when its last slab has gone.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::destroy::ENDED;
use super::{Caller, Kmem};

impl Kmem {
    /// Begins a grace period: slabs of type-safe caches that are empty now may go after its end. Returns its number.
    pub(crate) fn begin_grace(&self) -> u64 {
        let mut period = self.period.lock();
        *period += 1;
        for cache in self.all().filter(|cache| cache.is_typesafe()) {
            for slabs in self.all_slabs(cache) {
                let place = slabs.place();
                let mut waiting = slabs.entry.waiting.lock();
                let mut pool = slabs.entry.pool.lock();
                while let Some(empty) = pool.take_empty(place, 0) {
                    waiting.push(place, empty, *period);
                }
            }
        }
        *period
    }

    /// Ends a grace period, and all that began before it; `false` for a number of none.
    pub(crate) fn end_grace(&self, caller: Option<Caller>, number: u64) -> bool {
        if number == 0 || number > *self.period.lock() {
            return false;
        }
        for cache in self.all().filter(|cache| cache.is_typesafe()) {
            for slabs in self.all_slabs(cache) {
                loop {
                    let taken = slabs.entry.waiting.lock().take(slabs.place(), number);
                    let Some(empty) = taken else {
                        break;
                    };
                    cache.give_empty(caller, slabs, empty);
                }
            }
            // Slabs are counted until they are given back, and those that wait are.
            let has_gone = || cache.entries().all(|entry| entry.pool.lock().has_no_slab());
            // ORDERING: relaxed; the locks above have ordered what came before.
            let is_last = cache.state.load(Relaxed) == ENDED && has_gone();
            if is_last && cache.state.swap(0, Relaxed) == ENDED {
                cache.typesafe.store(0, Relaxed);
                self.retire(cache);
            }
        }
        true
    }
}
