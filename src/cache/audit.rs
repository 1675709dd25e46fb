//! Looking at what threads have at hand, without taking it: an object that is in a slab as well, or in a thread's
//! sheaves twice, was freed twice.
#![forbid(unsafe_code)]

use super::{Binding, ThreadCache};
use crate::report::{Violation, report_violation};
use crate::slab::{Audit, CacheNode, Slot, class};
use crate::sync::Guard;
use crate::units::{ClassId, MAX_CLUSTERS, MIN_ALIGN, PAGE_SIZE};

/// Bits of the sieve through which objects go that were perhaps seen before.
const SIEVE_BITS: usize = 1 << 13;
/// Multiplied with it, addresses that are near each other lie far apart in the upper bits: 2^64 by the golden ratio.
const SCATTER: usize = 0x9e37_79b9_7f4a_7c15;

impl ThreadCache {
    /// Reports the violation with every object that waits here and is not out for its slab. The cache's thread may go on
    /// meanwhile.
    ///
    /// With all cache nodes of a class locked, no object of it comes back to a slab or leaves it. So what is read from a sheaf then,
    /// at any moment, was out all the time, unless somebody freed it once more than it was handed out.
    pub(crate) fn audit(&self) {
        let Some(binding) = self.binding() else {
            return;
        };
        let _busy = self.busy.lock();
        for id in class::all().filter(|id| self.cached(*id) > 0) {
            let _cache_nodes = lock_all(binding, id);
            let mut audit = Audit::new(binding.home.place(self.cluster()), id);
            let bin = self.bin(id);
            bin.objects(self.detached_of(id))
                .for_each(|object| audit.suspect(object));
            let cell = self.spare(id);
            if let Some(spare) = cell.take() {
                spare.objects().iter().for_each(|it| audit.suspect(*it));
                cell.put(spare);
            }
        }
    }

    /// Reports the violation with every object that waits here and is not out for its slab, and with the first of each class that
    /// waits here twice. The cache is the calling thread's, which is not interrupted in it, and no other thread has one.
    ///
    /// Nothing is written but the cache's lock: in the child of a fork, each page that is written to is copied first.
    #[inline(always)]
    pub(crate) fn audit_own(&self) {
        let Some(binding) = self.binding() else {
            return;
        };
        let busy = self.busy.lock();
        for id in class::all().filter(|id| self.cached(*id) > 0) {
            let mut audit = Audit::new(binding.home.place(self.cluster()), id);
            for sheaf in self.waiting(id) {
                sheaf.iter().for_each(|object| audit.suspect(*object));
            }
            if let Some(twin) = self.twin(id) {
                let address = twin as usize;
                report_violation(
                    Violation::DoubleFree,
                    address,
                    binding.heap.context(address),
                );
            }
        }
        busy.end();
    }

    /// About how many pages small objects that wait here lie on: those that follow each other are often neighbours.
    pub(super) fn small_pages(&self) -> usize {
        let _busy = self.busy.lock();
        let mut pages = 0;
        for id in class::all().filter(|id| self.cached(*id) > 0) {
            let mut last = usize::MAX;
            for object in self.waiting(id).into_iter().flatten() {
                let page = *object as usize / PAGE_SIZE;
                pages += usize::from(page != last);
                last = page;
            }
        }
        pages
    }

    /// Whether any object waits here twice. The cache is the calling thread's.
    pub(super) fn has_twins(&self) -> bool {
        let _busy = self.busy.lock();
        class::all().any(|id| self.cached(id) > 1 && self.twin(id).is_some())
    }

    /// The first object of a class that waits here for the second time.
    #[inline(always)]
    fn twin(&self, id: ClassId) -> Option<Slot> {
        let mut sieve = [0_u64; SIEVE_BITS / 64];
        for sheaf in self.waiting(id) {
            for object in sheaf {
                let hash = (*object as usize >> MIN_ALIGN.ilog2()).wrapping_mul(SCATTER);
                let bit = hash >> (usize::BITS - SIEVE_BITS.ilog2());
                let Some(word) = sieve.get_mut(bit / 64) else {
                    continue;
                };
                let is_new = *word >> (bit % 64) & 1 == 0;
                *word |= 1 << (bit % 64);
                if !is_new && self.times(id, *object) > 1 {
                    return Some(*object);
                }
            }
        }
        None
    }

    /// How often an object waits in this cache.
    #[inline(always)]
    fn times(&self, id: ClassId, object: Slot) -> usize {
        let count = |sheaf: &[Slot]| sheaf.iter().filter(|other| **other == object).count();
        self.waiting(id).into_iter().map(count).sum()
    }

    /// The objects of a class that wait in this cache, which is the calling thread's.
    #[inline(always)]
    fn waiting(&self, id: ClassId) -> [&[Slot]; 2] {
        let bin = self.bin(id);
        [
            bin.own_objects(self.detached_of(id)),
            self.spare(id).objects(),
        ]
    }
}

/// Locks the cache nodes of a class of all clusters, the lowest number first.
fn lock_all(binding: Binding, id: ClassId) -> [Option<Guard<'static, CacheNode>>; MAX_CLUSTERS] {
    let mut guards = [const { None }; MAX_CLUSTERS];
    let clusters = binding.heap.clusters().entered();
    for (guard, cluster) in guards.iter_mut().zip(clusters) {
        *guard = Some(binding.home.cache_node(cluster, id).lock());
    }
    guards
}
