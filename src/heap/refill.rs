//! Taking objects from a node's slabs; a pool that has too few gets another slab.
//!
//! # Invariant
//!
//! No pool is locked while memory is committed.
#![forbid(unsafe_code)]

use super::Node;
use crate::slab::{Object, Pool, Sheaf};
use crate::sync::Guard;
use crate::units::{ClassId, ClusterId};

impl Node {
    /// Moves up to `wanted` objects of class `id` into `sheaf` and returns how many. Fewer than wanted means that the node is
    /// out of memory.
    pub(crate) fn fill(
        &self,
        cluster: ClusterId,
        id: ClassId,
        sheaf: &mut Sheaf,
        wanted: usize,
    ) -> usize {
        self.fill_from(self.pool(cluster, id).lock(), cluster, id, sheaf, wanted)
    }

    /// As [`Self::fill`], where the caller has the cluster's pool.
    pub(crate) fn fill_from<'node>(
        &'node self,
        mut pool: Guard<'node, Pool>,
        cluster: ClusterId,
        id: ClassId,
        sheaf: &mut Sheaf,
        wanted: usize,
    ) -> usize {
        let mut got = 0;
        loop {
            got += pool.fill(self.place(cluster), id, sheaf, wanted - got);
            if got == wanted {
                return got;
            }
            drop(pool);
            pool = match self.add_slab(cluster, id) {
                Some(pool) => pool,
                None => return got + self.fill_from_others(cluster, id, sheaf, wanted - got),
            };
        }
    }

    /// One object of class `id`, past all sheaves.
    pub(crate) fn take_one(&self, cluster: ClusterId, id: ClassId) -> Option<Object> {
        let mut pool = self.pool(cluster, id).lock();
        loop {
            let object = pool.take_one(self.place(cluster), id);
            if object.is_some() {
                return object;
            }
            drop(pool);
            pool = match self.add_slab(cluster, id) {
                Some(pool) => pool,
                None => return self.take_one_from_others(cluster, id),
            };
        }
    }

    /// Adds a slab to a pool, whose lock is not held while memory for it is committed; `None` where there is none. Threads
    /// that need one at the same time get one together.
    #[cold]
    fn add_slab(&self, cluster: ClusterId, id: ClassId) -> Option<Guard<'_, Pool>> {
        let _growing = self.growing(cluster, id).lock();
        let pool = self.pool(cluster, id).lock();
        if pool.has_objects() {
            return Some(pool);
        }
        drop(pool);
        let slab = Pool::new_slab(self.place(cluster), id)?;
        let mut pool = self.pool(cluster, id).lock();
        pool.add(self.place(cluster), slab);
        Some(pool)
    }

    /// What other clusters' slabs have, where there is no memory for another one.
    #[cold]
    fn fill_from_others(
        &self,
        cluster: ClusterId,
        id: ClassId,
        sheaf: &mut Sheaf,
        wanted: usize,
    ) -> usize {
        let mut got = 0;
        for (other, pool) in self.used_pools(id).filter(|(other, _)| *other != cluster) {
            if got < wanted {
                got += pool.lock().fill(self.place(other), id, sheaf, wanted - got);
            }
        }
        got
    }

    #[cold]
    fn take_one_from_others(&self, cluster: ClusterId, id: ClassId) -> Option<Object> {
        let mut others = self.used_pools(id).filter(|(other, _)| *other != cluster);
        others.find_map(|(other, pool)| pool.lock().take_one(self.place(other), id))
    }
}
