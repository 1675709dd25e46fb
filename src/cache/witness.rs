//! Looking at what other threads have at hand, without taking it: an object that is in a slab as well was freed twice.
#![forbid(unsafe_code)]

use super::ThreadCache;
use crate::slab::class;

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
            let pool = ties.home.pool(id).lock();
            let doubt = |object| pool.doubt(ties.home.place(), id, object);
            let bin = self.bin(id);
            bin.look(self.claims_of(id), doubt);
            if let Some(spare) = bin.spare.take() {
                spare.objects().iter().copied().for_each(doubt);
                bin.spare.put(spare);
            }
        }
    }
}
