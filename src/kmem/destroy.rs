//! Emptying a cache, and destroying it.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::cache::{ENDED, LIVE, NamedCache};
use super::create::KmemError;
use super::slabs::Slabs;
use super::{Caller, Kmem, report};
use crate::cache::{BIN_BYTES, Bin, Notes, Registry, ThreadCache};
use crate::decay::{Budget, Elapsed};
use crate::slab::{Barn, Sheaf};

/// The structure is being destroyed.
const DYING: u8 = 2;
/// Addresses in a report.
const SHOWN: usize = 4;

impl Kmem {
    /// Destroys a cache; an error if objects of it are in use, which is reported, and the cache is as it was. Nobody uses it
    /// meanwhile.
    pub(crate) fn destroy(
        &self,
        caller: Option<Caller>,
        cache: &'static NamedCache,
        threads: &Registry,
    ) -> Result<(), KmemError> {
        let is_live = cache.exists() && {
            let life = self.life.lock();
            if self.leave_alias(&life, cache) {
                return Ok(());
            }
            let _visiting = self.visiting.lock();
            let state = &cache.state;
            // ORDERING: relaxed, the program orders what it does with a cache.
            state
                .compare_exchange(LIVE, DYING, Relaxed, Relaxed)
                .is_ok()
        };
        if !is_live {
            report::no_cache(cache.handle());
            return Err(KmemError::Invalid);
        }
        for thread in each(threads) {
            self.drain_bin(thread, cache);
        }
        self.empty_barns(cache);
        self.look_at_all(cache);
        let left = cache.out.load(Relaxed);
        if left > 0 {
            let first = || {
                self.all_slabs(cache)
                    .flat_map(|slabs| Self::objects_out(cache, slabs))
            };
            report::objects_left(cache, left, first().take(SHOWN));
            first()
                .take(SHOWN)
                .for_each(|object| cache.print_users(object));
            cache.state.store(LIVE, Relaxed);
            return Err(KmemError::InUse);
        }
        let sheaves = cache.sheaves.load(Relaxed);
        if sheaves > 0 {
            report::sheaves_left(cache, sheaves);
            cache.state.store(LIVE, Relaxed);
            return Err(KmemError::InUse);
        }
        for slabs in self.all_slabs(cache) {
            cache.trim(caller, slabs, 0);
            while let Some(sheaf) = pop_empty(slabs) {
                self.store.give_sheaf(sheaf, cache.capacity());
            }
        }
        if let Some((text, bytes)) = cache.take_name() {
            self.store.give(text, bytes);
        }
        if cache.is_typesafe() {
            // Its slabs wait for a grace period, and it for them.
            cache.state.store(ENDED, Relaxed);
            self.retire_if_gone(cache);
        } else {
            cache.state.store(0, Relaxed);
            self.retire(cache);
        }
        self.store.trim();
        Ok(())
    }

    /// Gives back what is not in use of a cache, as far as the calling thread and the barns have it.
    pub(crate) fn shrink(&self, caller: Option<Caller>, cache: &'static NamedCache) {
        if let Some((thread, _)) = caller {
            self.drain_bin(thread, cache);
        }
        self.empty_barns(cache);
        self.look_at_all(cache);
        for slabs in self.all_slabs(cache) {
            cache.trim(caller, slabs, 0);
        }
    }

    /// Objects that the program holds.
    pub(crate) fn used(&self, cache: &'static NamedCache, threads: &Registry) -> usize {
        let cached = self.cached(cache, threads);
        cache.out().saturating_sub(cached)
    }

    /// Gives back all that a thread has of named caches.
    pub(crate) fn leave(&self, thread: &'static ThreadCache) {
        for number in 1..=(thread.named_bytes() / BIN_BYTES) as u32 {
            match self.cache(number) {
                Some(cache) => self.drain_bin(thread, cache),
                None => break,
            }
        }
        if let Some(table) = thread.leave_named() {
            self.store.give(table.memory, table.bytes);
        }
    }

    /// Gives back what was not needed for some time, as far as that runs no code of the program's.
    pub(crate) fn decay(&self, elapsed: Elapsed, budget: &mut Budget) {
        for cache in self.all() {
            if budget.is_spent() {
                return;
            }
            let _visiting = self.visiting.lock();
            if !cache.exists() {
                continue;
            }
            for slabs in self.all_slabs(cache) {
                budget.visit();
                let excess = slabs.entry.cache_node.lock().barn.excess(elapsed);
                for _ in 0..excess {
                    let idle = slabs.entry.cache_node.lock().barn.take_idle();
                    let Some(sheaf) = idle else {
                        break;
                    };
                    budget.flush(sheaf.count());
                    let empty = self.flush(cache, sheaf);
                    slabs.entry.cache_node.lock().barn.put_empty(empty);
                }
                if !cache.ends_slabs() && !cache.is_typesafe() && cache.base().is_none() {
                    let (place, id) = (slabs.place(), cache.class());
                    slabs.entry.cache_node.lock().decay(place, id, elapsed);
                }
            }
        }
    }

    /// Gives back what memory for bins and sheaves is empty.
    #[cfg(all(test, not(simulated)))]
    pub(crate) fn trim_store(&self) {
        self.store.trim();
    }

    pub(super) fn all_slabs(
        &self,
        cache: &'static NamedCache,
    ) -> impl Iterator<Item = Slabs<'static>> {
        let slabs = move |node| self.slabs(cache, node);
        self.heap.nodes().filter_map(slabs)
    }

    /// Takes what a thread has at hand of a cache back into the slabs.
    pub(super) fn drain_bin(&self, thread: &'static ThreadCache, cache: &'static NamedCache) {
        let drain = |bin: &Bin, notes: &Notes| {
            let room = bin.capacity();
            if let Some(sheaf) = bin.close() {
                let empty = self.flush(cache, sheaf);
                self.store.give_sheaf(empty, room);
            }
            if let Some(sheaf) = notes.spare.take() {
                let empty = self.flush(cache, sheaf);
                self.store.give_sheaf(empty, cache.capacity());
            }
            bin.describe(0, 0);
            notes.last.store(0, Relaxed);
        };
        let _ = thread.with_named(cache.place(), drain);
    }

    pub(super) fn empty_barns(&self, cache: &'static NamedCache) {
        for slabs in self.all_slabs(cache) {
            loop {
                let taken = Barn::take_any(&mut slabs.entry.cache_node.lock().barn);
                let Some(sheaf) = taken else {
                    break;
                };
                let empty = self.flush(cache, sheaf);
                slabs.entry.cache_node.lock().barn.put_empty(empty);
            }
        }
    }
}

fn pop_empty(slabs: Slabs<'_>) -> Option<Sheaf> {
    slabs.entry.cache_node.lock().barn.take_empty()
}

pub(super) fn each(threads: &Registry) -> impl Iterator<Item = &'static ThreadCache> {
    let mut last = None;
    core::iter::from_fn(move || {
        last = threads.next_of_all(last);
        last
    })
}
