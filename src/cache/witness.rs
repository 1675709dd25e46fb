//! Looking at what threads have at hand, without taking it: an object that is in a slab as well, or in a thread's
//! sheaves twice, was freed twice.
#![forbid(unsafe_code)]

use super::ThreadCache;
use crate::report::{Crime, accuse};
use crate::slab::{Slot, class, doubt};
use crate::units::{ClassId, MIN_ALIGN, PAGE_SIZE};

/// Bits of the sieve through which objects go that were perhaps seen before.
const SIEVE_BITS: usize = 1 << 13;
/// Multiplied with it, addresses that are near each other lie far apart in the upper bits: 2^64 by the golden ratio.
const SCATTER: usize = 0x9e37_79b9_7f4a_7c15;

impl ThreadCache {
    /// Names the crime with every object that waits here and is not out for its slab. The cache's thread may go on
    /// meanwhile.
    ///
    /// With the pool locked, no object of the class comes back to a slab or leaves it. So what is read from a sheaf then,
    /// at any moment, was out all the time, unless somebody freed it once more than it was handed out.
    pub(crate) fn witness(&self) {
        let Some(ties) = self.ties() else {
            return;
        };
        let _busy = self.busy.lock();
        for id in class::all().filter(|id| self.stock(*id) > 0) {
            let _pool = ties.home.pool(id).lock();
            let doubt = |object| doubt(ties.home.place(), id, object);
            let bin = self.bin(id);
            bin.look(self.claims_of(id), doubt);
            if let Some(spare) = bin.spare.take() {
                spare.objects().iter().copied().for_each(doubt);
                bin.spare.put(spare);
            }
        }
    }

    /// Names the crime with every object that waits here and is not out for its slab, or that waits here twice. The cache
    /// is the calling thread's, and there is no other thread.
    ///
    /// Nothing is written but the cache's lock: in the child of a fork, each page that is written to is copied first.
    pub(crate) fn witness_own(&self) {
        let Some(ties) = self.ties() else {
            return;
        };
        let _busy = self.busy.lock();
        for id in class::all().filter(|id| self.stock(*id) > 0) {
            self.each(id, |object| doubt(ties.home.place(), id, object));
            self.each_twin(id, |object| {
                let address = object as usize;
                accuse(Crime::DoubleFree, address, ties.heap.scene(address));
            });
        }
    }

    /// About how many pages small objects that wait here lie on: those that follow each other are often neighbours.
    pub(super) fn small_pages(&self) -> usize {
        let _busy = self.busy.lock();
        let mut pages = 0;
        for id in class::all().filter(|id| self.stock(*id) > 0) {
            let mut last = usize::MAX;
            self.each(id, |object| {
                let page = object as usize / PAGE_SIZE;
                pages += usize::from(page != last);
                last = page;
            });
        }
        pages
    }

    /// Whether any object waits here twice. The cache is the calling thread's.
    pub(super) fn has_twins(&self) -> bool {
        let _busy = self.busy.lock();
        let mut any = false;
        for id in class::all().filter(|id| self.stock(*id) > 1) {
            self.each_twin(id, |_| any = true);
        }
        any
    }

    /// Calls `look` with every object of a class that has come by already.
    fn each_twin(&self, id: ClassId, mut look: impl FnMut(Slot)) {
        let mut sieve = [0_u64; SIEVE_BITS / 64];
        let mut seen = 0;
        self.each(id, |object| {
            let hash = (object as usize >> MIN_ALIGN.ilog2()).wrapping_mul(SCATTER);
            let bit = hash >> (usize::BITS - SIEVE_BITS.ilog2());
            if let Some(word) = sieve.get_mut(bit / 64) {
                let is_new = *word >> (bit % 64) & 1 == 0;
                *word |= 1 << (bit % 64);
                if !is_new && self.is_among_first(id, seen, object) {
                    look(object);
                }
            }
            seen += 1;
        });
    }

    /// Whether `object` is one of the first `count` of its class that wait here.
    fn is_among_first(&self, id: ClassId, count: usize, object: Slot) -> bool {
        let (mut number, mut is_there) = (0, false);
        self.each(id, |other| {
            is_there |= number < count && other == object;
            number += 1;
        });
        is_there
    }

    /// Calls `look` with every object of a class that waits in this cache.
    fn each(&self, id: ClassId, mut look: impl FnMut(Slot)) {
        let bin = self.bin(id);
        bin.look(self.claims_of(id), &mut look);
        bin.spare.look(look);
    }
}
