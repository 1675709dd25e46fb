//! Grace periods: what was empty when one began goes when it has ended, and nothing of a type-safe cache goes without.
//!
//! # Invariant
//!
//! A structure that is no cache any more serves another one only when its last slab has gone.
#![forbid(unsafe_code)]

use super::cache::NamedCache;
use super::{Caller, Kmem};

impl Kmem {
    /// Begins a grace period: slabs of type-safe caches that are empty now may go after its end. Returns its number.
    pub(crate) fn begin_grace(&self) -> u64 {
        let mut period = self.period.lock();
        *period += 1;
        // A reserve keeps its slabs.
        let goes = |cache: &&NamedCache| {
            cache.is_typesafe() && (cache.base().is_none() || !cache.exists())
        };
        for cache in self.all().filter(goes) {
            for slabs in self.all_slabs(cache) {
                let place = slabs.place();
                let mut waiting = slabs.entry.waiting.lock();
                let mut cache_node = slabs.entry.cache_node.lock();
                while let Some(empty) = cache_node.take_empty(place, 0) {
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
            self.retire_if_gone(cache);
        }
        true
    }
}
