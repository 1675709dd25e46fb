//! The slabs of one cache on one node, past all sheaves.
#![forbid(unsafe_code)]

use super::Kmem;
use super::cache::{Entry, NamedCache};
use crate::heap::Node;
use crate::slab::{CacheNode, Object, Owner, Place, Sheaf, Slot};
use crate::units::ClusterId;

/// A cache node with the place of its slabs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slabs<'cache> {
    pub(super) node: &'static Node,
    pub(super) entry: &'cache Entry,
    pub(super) owner: Owner,
}

impl Slabs<'_> {
    pub(super) fn place(self) -> Place<'static> {
        Place {
            owner: self.owner,
            ..self.node.place(ClusterId::default())
        }
    }

    /// Moves up to `wanted` objects into `sheaf` and returns how many. Fewer than wanted means that the node is out of memory.
    pub(super) fn fill(self, sheaf: &mut Sheaf, wanted: usize) -> usize {
        let (place, id) = (self.place(), self.owner.class());
        let mut got = 0;
        loop {
            got += self
                .entry
                .cache_node
                .lock()
                .fill(place, id, sheaf, wanted - got);
            if got == wanted || !self.add_slab() {
                return got;
            }
        }
    }

    /// As [`Self::fill`], from memory that is there, and only if no lock is to be waited for.
    pub(super) fn fill_soon(self, sheaf: &mut Sheaf, wanted: usize) -> usize {
        let (place, id) = (self.place(), self.owner.class());
        let Some(mut cache_node) = self.entry.cache_node.lock_soon() else {
            return 0;
        };
        let got = cache_node.fill(place, id, sheaf, wanted);
        if got > 0 {
            return got;
        }
        drop(cache_node);
        let Some(slab) = CacheNode::new_slab_soon(place, id) else {
            return 0;
        };
        let mut cache_node = self.entry.cache_node.lock();
        cache_node.add(place, slab);
        cache_node.fill(place, id, sheaf, wanted)
    }

    /// One object that need not be known to be new.
    pub(super) fn take_one(self) -> Option<Object> {
        loop {
            let object = self
                .entry
                .cache_node
                .lock()
                .take_one(self.place(), self.owner.class());
            if object.is_some() || !self.add_slab() {
                return object;
            }
        }
    }

    /// Takes objects of this cache and node back and returns how many were out.
    pub(super) fn give(self, objects: &mut [Slot]) -> usize {
        let mut cache_node = self.entry.cache_node.lock();
        let before = cache_node.out();
        cache_node.take_back(self.place(), self.owner.class(), objects);
        (before - cache_node.out()) as usize
    }

    /// Gives empty slabs back until `keep` are left.
    pub(super) fn trim(self, keep: u32) {
        let mut cache_node = self.entry.cache_node.lock();
        cache_node.trim(self.place(), self.owner.class(), keep);
    }

    /// Adds a slab to the cache node, whose lock is not held while memory for it is committed; `false` where there is none.
    #[cold]
    fn add_slab(self) -> bool {
        let _growing = self.entry.growing.lock();
        if self.entry.cache_node.lock().has_objects() {
            return true;
        }
        let Some(slab) = CacheNode::new_slab(self.place(), self.owner.class()) else {
            return false;
        };
        self.entry.cache_node.lock().add(self.place(), slab);
        true
    }
}

impl Kmem {
    /// The slabs of a cache on a node.
    pub(super) fn slabs(
        &self,
        cache: &'static NamedCache,
        node: &'static Node,
    ) -> Option<Slabs<'static>> {
        Some(Slabs {
            node,
            entry: cache.entry(self.heap, node)?,
            owner: cache.owner(),
        })
    }

    /// Takes objects of a cache back into the slabs that they come from.
    pub(super) fn give_all(&self, cache: &'static NamedCache, objects: &mut [Slot]) {
        let node_of = |object: Slot| self.heap.nodes().find(|node| node.owns(object.addr()));
        let is_same =
            |one: Slot, next: Slot| node_of(one).is_some_and(|node| node.owns(next.addr()));
        for part in objects.chunk_by_mut(|one, next| is_same(*one, *next)) {
            let node = part.first().and_then(|first| node_of(*first));
            if let Some(slabs) = node.and_then(|node| self.slabs(cache, node)) {
                cache.uncharge(slabs.give(part));
            }
        }
    }
}
