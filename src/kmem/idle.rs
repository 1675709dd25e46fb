//! Taking back what threads have at hand and do not use, by the protocol of `cache/named_idle.rs`.
#![forbid(unsafe_code)]

use core::ptr::null_mut;

use super::Kmem;
use super::cache::NamedCache;
use super::destroy::each;
use crate::cache::{BIN_BYTES, Haste, Registry, Taken, ThreadCache};
use crate::decay::Budget;
use crate::slab::Slot;
use crate::units::PAGE_SIZE;

/// Objects that go back at once.
const FEW: usize = 32;

impl Kmem {
    /// Takes back what a thread has not used since the last visit, or all it has; see [`ThreadCache::visit_named`].
    pub(crate) fn visit(&self, thread: &'static ThreadCache, haste: Haste, budget: &mut Budget) {
        if thread.named_bytes() > 0 {
            thread.visit_named(haste, &mut |place, taken| {
                self.take_in(place, taken, budget)
            });
            budget.visit();
        }
    }

    /// Detaches what threads have at hand of a cache, or of all, for [`Self::take_detached`] with the same number; returns whether there
    /// is anything. Caches that no thread owns count as well: they are of threads that stayed in the parent of a fork.
    pub(crate) fn detach(
        &self,
        only: Option<&'static NamedCache>,
        threads: &Registry,
        number: u32,
        budget: &mut Budget,
    ) -> bool {
        let place = only.map(NamedCache::place);
        let mut any = false;
        for thread in each(threads) {
            any |= thread.detach_named(place, number, &mut |place, taken| {
                self.take_in(place, taken, budget);
            });
        }
        any
    }

    /// Takes back what was detached with this number by now, and left alone.
    pub(crate) fn take_detached(&self, threads: &Registry, number: u32, budget: &mut Budget) {
        for thread in each(threads) {
            let mut give = |place, taken: Taken<'_>| self.take_in(place, taken, budget);
            thread.take_detached_named(number, &mut give);
        }
    }

    /// Bytes of the objects that a thread has at hand, and of the pages that they may keep from the system.
    pub(crate) fn parked(&self, thread: &'static ThreadCache) -> (usize, usize) {
        let (mut bytes, mut pinned) = (0, 0);
        thread.each_named(|place, objects| {
            let slot = match objects {
                0 => 0,
                _ => self.cache_at(place).map_or(0, NamedCache::slot),
            };
            bytes += objects * slot;
            pinned += objects * slot.max(PAGE_SIZE);
        });
        (bytes, pinned)
    }

    /// Objects of a cache that threads have at hand.
    pub(crate) fn at_hand(&self, cache: &'static NamedCache, threads: &Registry) -> usize {
        let place = cache.place();
        each(threads)
            .map(|thread| thread.named_objects(place))
            .sum()
    }

    /// Takes back what caches have at hand that no thread owns.
    pub(crate) fn visit_unowned(&self, threads: &Registry, budget: &mut Budget) {
        for thread in each(threads).filter(|thread| !thread.has_owner()) {
            self.visit(thread, Haste::Now, budget);
        }
    }

    fn cache_at(&self, place: usize) -> Option<&'static NamedCache> {
        self.cache((place / BIN_BYTES) as u32 + 1)
    }

    fn take_in(&self, place: usize, taken: Taken<'_>, budget: &mut Budget) {
        let Some(cache) = self.cache_at(place) else {
            return;
        };
        match taken {
            Taken::Spare(sheaf) => {
                budget.flush(sheaf.count());
                let empty = self.flush(cache, sheaf);
                self.store.give_sheaf(empty, cache.capacity());
            }
            Taken::Detached(objects) => {
                budget.flush(objects.len());
                self.give_unmoved(cache, objects);
            }
        }
    }

    /// Takes objects of a cache back that lie where their thread may look at them, so that they stay there.
    fn give_unmoved(&self, cache: &'static NamedCache, objects: &[Slot]) {
        for some in objects.chunks(FEW) {
            let mut copy = [null_mut(); FEW];
            let copy = copy.get_mut(..some.len()).unwrap_or_default();
            copy.copy_from_slice(some);
            self.give_all(cache, copy);
        }
    }
}
