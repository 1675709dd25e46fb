//! Taking objects from a node's slabs; a cache node that has too few gets another slab.
//!
//! # Invariant
//!
//! No cache node is locked while memory is committed.
#![forbid(unsafe_code)]

use super::Node;
use crate::slab::{CacheNode, Object, Sheaf};
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
        self.fill_from(
            self.cache_node(cluster, id).lock(),
            cluster,
            id,
            sheaf,
            wanted,
        )
    }

    /// As [`Self::fill`], where the caller has the cluster's cache node.
    pub(crate) fn fill_from<'node>(
        &'node self,
        mut cache_node: Guard<'node, CacheNode>,
        cluster: ClusterId,
        id: ClassId,
        sheaf: &mut Sheaf,
        wanted: usize,
    ) -> usize {
        let mut got = 0;
        loop {
            got += cache_node.fill(self.place(cluster), id, sheaf, wanted - got);
            if got == wanted {
                return got;
            }
            drop(cache_node);
            got += self.fill_from_idle(cluster, id, sheaf, wanted - got);
            if got == wanted {
                return got;
            }
            cache_node = match self.add_slab(cluster, id) {
                Some(cache_node) => cache_node,
                None => return got + self.fill_from_others(cluster, id, sheaf, wanted - got),
            };
        }
    }

    /// One object of class `id`, past all sheaves.
    pub(crate) fn take_one(&self, cluster: ClusterId, id: ClassId) -> Option<Object> {
        let mut cache_node = self.cache_node(cluster, id).lock();
        loop {
            let object = cache_node.take_one(self.place(cluster), id);
            if object.is_some() {
                return object;
            }
            drop(cache_node);
            cache_node = match self.add_slab(cluster, id) {
                Some(cache_node) => cache_node,
                None => return self.take_one_from_others(cluster, id),
            };
        }
    }

    /// Adds a slab to a cache node, whose lock is not held while memory for it is committed; `None` where there is none. Threads
    /// that need one at the same time get one together.
    #[cold]
    fn add_slab(&self, cluster: ClusterId, id: ClassId) -> Option<Guard<'_, CacheNode>> {
        let _growing = self.growing(cluster, id).lock();
        let cache_node = self.cache_node(cluster, id).lock();
        if cache_node.has_objects() {
            return Some(cache_node);
        }
        drop(cache_node);
        let slab = CacheNode::new_slab(self.place(cluster), id)?;
        let mut cache_node = self.cache_node(cluster, id).lock();
        cache_node.add(self.place(cluster), slab);
        Some(cache_node)
    }

    /// What another cluster's slabs have that are mostly free, if nobody is using them: threads may have moved away from there.
    #[cold]
    fn fill_from_idle(
        &self,
        cluster: ClusterId,
        id: ClassId,
        sheaf: &mut Sheaf,
        wanted: usize,
    ) -> usize {
        for (other, cache_node) in self
            .used_cache_nodes(id)
            .filter(|(other, _)| *other != cluster)
        {
            if let Some(mut cache_node) = cache_node.try_lock()
                && cache_node.is_mostly_free(id)
            {
                return cache_node.fill(self.place(other), id, sheaf, wanted);
            }
        }
        0
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
        for (other, cache_node) in self
            .used_cache_nodes(id)
            .filter(|(other, _)| *other != cluster)
        {
            if got < wanted {
                got += cache_node
                    .lock()
                    .fill(self.place(other), id, sheaf, wanted - got);
            }
        }
        got
    }

    #[cold]
    fn take_one_from_others(&self, cluster: ClusterId, id: ClassId) -> Option<Object> {
        let mut others = self
            .used_cache_nodes(id)
            .filter(|(other, _)| *other != cluster);
        others.find_map(|(other, cache_node)| cache_node.lock().take_one(self.place(other), id))
    }
}
