//! Slabs of the objects that a heap profile has sampled, apart from all others: no fast path of `free` takes them, so that the end
//! of each is seen.
//!
//! # Invariant
//!
//! An object in such a slab goes back to it, past all sheaves. A slab goes when it is empty and another one is.

use super::cache_node::{CacheNode, CacheNodeCounts};
use super::class::CLASSES;
use super::place::Place;
use super::{Object, Owner};
use crate::sync::Lock;
use crate::sys::ZeroInit;
use crate::units::ClassId;

/// Those of a node, of all classes.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Sampled {
    /// Held while a slab is made.
    growing: Lock<()>,
    pub(super) cache_nodes: [Lock<CacheNode>; CLASSES + 1],
}

// SAFETY: zero is free locks around cache nodes without slabs (`cache_nodes.rs`), and the locks guard all changes.
unsafe impl ZeroInit for Sampled {}

impl Sampled {
    /// An object of class `id`; `None` where there is no memory for a slab.
    pub(crate) fn take(&self, place: Place<'_>, id: ClassId) -> Option<Object> {
        let (cache_node, place) = (self.cache_node(id)?, place.of_profile(id));
        loop {
            let object = cache_node.lock().take_one(place, id);
            if object.is_some() {
                return object;
            }
            let _growing = self.growing.lock();
            if !cache_node.lock().has_objects() {
                let slab = CacheNode::new_slab(place, id)?;
                cache_node.lock().add(place, slab);
            }
        }
    }

    /// Takes an object of class `id` back whose slab is one of these; what is wrong with it is reported.
    pub(crate) fn give(&self, place: Place<'_>, id: ClassId, object: Object) {
        if let Some(cache_node) = self.cache_node(id) {
            let mut cache_node = cache_node.lock();
            let _ = cache_node.take_back(place.of_profile(id), id, &mut [object.as_ptr()]);
        }
    }

    /// The numbers of a class.
    pub(crate) fn counts(&self, id: ClassId) -> CacheNodeCounts {
        let cache_node = self.cache_node(id);
        cache_node.map(|it| it.lock().counts(0)).unwrap_or_default()
    }

    /// Gives slabs of a class without an object in use up.
    pub(crate) fn trim(&self, place: Place<'_>, id: ClassId) {
        if let Some(cache_node) = self.cache_node(id) {
            cache_node.lock().trim(place.of_profile(id), id, 0);
        }
    }

    /// Takes all locks, to hold them across a fork.
    pub(crate) fn hold_for_fork(&self) {
        self.growing.hold_for_fork();
        self.cache_nodes.iter().for_each(Lock::hold_for_fork);
    }

    /// Whether nobody holds any of these locks at this moment.
    pub(crate) fn is_quiet(&self) -> bool {
        self.growing.is_free() && self.cache_nodes.iter().all(Lock::is_free)
    }

    /// Checks the slabs of a class.
    pub(crate) fn validate(&self, place: Place<'_>, id: ClassId) {
        if let Some(cache_node) = self.cache_node(id) {
            cache_node.lock().validate(place.of_profile(id), id);
        }
    }

    fn cache_node(&self, id: ClassId) -> Option<&Lock<CacheNode>> {
        self.cache_nodes.get(id.index())
    }
}

impl Place<'_> {
    /// The same for slabs of class `id` of sampled objects.
    fn of_profile(self, id: ClassId) -> Self {
        Self {
            owner: Owner::profile(id),
            ..self
        }
    }
}
