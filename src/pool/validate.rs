//! What pools have, and whether they agree with the records of their slabs and with their accounts.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::Pools;
use crate::report::check;
use crate::slab::class::info;
use crate::units::GRANULE_SIZE;

impl Pools {
    /// Bytes of the slabs of pools, and of the program's objects in them. Takes no pool: the numbers are of about one moment.
    pub(crate) fn slab_sums(&'static self) -> (usize, usize) {
        let granules = self.heap.nodes().map(|node| node.tables().pool_granules());
        let in_use = self.all().map(|pool| {
            let others = pool.ready_bytes() + self.blocks.bytes(&pool.blocks);
            pool.account.own_used().saturating_sub(others)
        });
        (granules.sum::<usize>() * GRANULE_SIZE, in_use.sum())
    }

    /// The name of each pool that exists, filled up with zeroes, the bytes that are in use and its limit, `usize::MAX` for none.
    pub(crate) fn each(&'static self, mut look: impl FnMut(&[u8], usize, usize)) {
        for pool in self.all().filter(|pool| !pool.is_closed()) {
            let used = pool.account.used(pool.ready_bytes());
            look(&pool.name(), used, pool.account.limit.load(Relaxed));
        }
    }

    /// Checks every pool, also closed ones with blocks; aborts if a count is wrong.
    pub(crate) fn validate(&'static self) {
        for pool in self.all() {
            let Some(_held) = pool.hold() else {
                continue;
            };
            let mut bytes = self.blocks.bytes(&pool.blocks);
            for id in pool.used_classes() {
                if let Some(place) = pool.place_of(id) {
                    let class = pool.class(id);
                    class.validate(place, id);
                    bytes += class.in_use(place) * info(id).size as usize;
                }
            }
            let charged = pool.account.own_used() - pool.ready_bytes();
            check(charged == bytes, "a pool's account is wrong");
        }
        self.blocks.validate();
    }
}
