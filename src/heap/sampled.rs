//! Slabs for the objects that a heap profile has sampled, apart from all others: no fast path of `free` takes them, so that the end
//! of each is seen.
//!
//! # Invariant
//!
//! An object in such a slab goes back to it, past all sheaves. A slab goes when it is empty and another one is.

use super::{Heap, Node};
use crate::slab::class::{self, CLASSES};
use crate::slab::{CacheNode, CacheNodeCounts, Object, Owner, Place, Slot};
use crate::sync::Lock;
use crate::sys::ZeroInit;
use crate::units::{ClassId, ClusterId};

/// The slabs of a node.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Sampled {
    /// Held while a slab is made.
    growing: Lock<()>,
    cache_nodes: [Lock<CacheNode>; CLASSES + 1],
}

// SAFETY: zero is free locks around cache nodes without slabs (`slab/cache_nodes.rs`), and the locks guard all changes.
unsafe impl ZeroInit for Sampled {}

impl Heap {
    /// An object of class `id` for a sample.
    pub(crate) fn take_sampled(&self, home: &'static Node, id: ClassId) -> Option<Object> {
        let anywhere = || {
            let mut nodes = self.nearest_first(home);
            home.take_sampled(id)
                .or_else(|| nodes.find_map(|node| node.take_sampled(id)))
        };
        self.take_within(class::info(id).slab_bytes(), anywhere)
    }
}

impl Node {
    /// The place of the slabs of a class.
    fn place_of_sampled(&self, id: ClassId) -> Place<'_> {
        Place {
            owner: Owner::profile(id),
            ..self.place(ClusterId::default())
        }
    }

    fn take_sampled(&self, id: ClassId) -> Option<Object> {
        let sampled = self.sampled.get_or_try_make(|| {
            let made: Option<&'static Sampled> = self.metadata().zeroed();
            made
        })?;
        let (cache_node, place) = (
            sampled.cache_nodes.get(id.index())?,
            self.place_of_sampled(id),
        );
        loop {
            let object = cache_node.lock().take_one(place, id);
            if object.is_some() {
                return object;
            }
            let _growing = sampled.growing.lock();
            if !cache_node.lock().has_objects() {
                let slab = CacheNode::new_slab(place, id)?;
                cache_node.lock().add(place, slab);
            }
        }
    }

    /// Takes the object of class `id` back whose slab is one of these; what is wrong with it is reported.
    pub(crate) fn give_sampled(&self, id: ClassId, object: Object) {
        if let Some(cache_node) = self.sampled_node(id) {
            let mut objects: [Slot; 1] = [object.as_ptr()];
            let _ = cache_node
                .lock()
                .take_back(self.place_of_sampled(id), id, &mut objects);
        }
    }

    fn sampled_node(&self, id: ClassId) -> Option<&Lock<CacheNode>> {
        self.sampled.get()?.cache_nodes.get(id.index())
    }

    /// The numbers of a class.
    pub(super) fn sampled_counts(&self, id: ClassId) -> CacheNodeCounts {
        let counts = |cache_node: &Lock<CacheNode>| cache_node.lock().counts(0);
        self.sampled_node(id).map(counts).unwrap_or_default()
    }

    /// Gives slabs of a class without an object in use up.
    pub(super) fn trim_sampled(&self, id: ClassId) {
        if let Some(cache_node) = self.sampled_node(id) {
            cache_node.lock().trim(self.place_of_sampled(id), id, 0);
        }
    }

    /// Takes all locks, to hold them across a fork.
    pub(super) fn hold_sampled_for_fork(&self) {
        if let Some(sampled) = self.sampled.get() {
            sampled.growing.hold_for_fork();
            let all = sampled.cache_nodes.iter();
            all.for_each(|cache_node| cache_node.hold_for_fork());
        }
    }

    /// Whether nobody holds any of these locks at this moment.
    pub(super) fn is_sampled_quiet(&self) -> bool {
        let is_quiet = |sampled: &&Sampled| {
            sampled.growing.is_free() && sampled.cache_nodes.iter().all(Lock::is_free)
        };
        self.sampled.get().is_none_or(|sampled| is_quiet(&sampled))
    }

    /// Checks the slabs of a class.
    pub(super) fn validate_sampled(&self, id: ClassId) {
        if let Some(cache_node) = self.sampled_node(id) {
            cache_node.lock().validate(self.place_of_sampled(id), id);
        }
    }
}
