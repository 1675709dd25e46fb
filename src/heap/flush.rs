//! Objects on their way back into their slabs, in whichever node and cluster these are.
#![forbid(unsafe_code)]

use core::ptr::null_mut;

use super::{Heap, Node};
use crate::slab::{CacheNode, Sheaf, Slot, class};
use crate::sync::Guard;
use crate::units::{ClassId, ClusterId};

/// Objects that must not move, copied at a time.
const FEW: usize = 32;

impl Heap {
    /// Empties a sheaf into the slabs that its objects come from; the caller holds no cache node's lock.
    pub(crate) fn flush(&self, home: &Node, id: ClassId, sheaf: &mut Sheaf) {
        self.take_back(home, id, sheaf.objects_mut());
        sheaf.clear();
    }

    /// As [`Self::flush`], where the caller has this cluster's cache node.
    pub(crate) fn flush_with(
        &self,
        mut cache_node: Guard<'_, CacheNode>,
        home: &Node,
        cluster: ClusterId,
        id: ClassId,
        sheaf: &mut Sheaf,
    ) {
        let objects = sheaf.objects_mut();
        let is_own = |object: &Slot| {
            let address = *object as usize;
            home.owns(address) && home.cluster_of(address, id) == cluster
        };
        let others = match objects.first().is_some_and(is_own) {
            true => cache_node.take_back(home.place(cluster), id, objects),
            false => objects.len(),
        };
        drop(cache_node);
        self.take_back(home, id, objects.get_mut(..others).unwrap_or_default());
        sheaf.clear();
    }

    /// Takes objects that were in a cache of `home` back into their slabs, wherever these are.
    pub(crate) fn take_back(&self, home: &Node, id: ClassId, objects: &mut [Slot]) {
        if class::is_span(id) {
            return objects
                .iter()
                .for_each(|span| self.give_cached(*span as usize, id));
        }
        let mut left = objects;
        while let Some(first) = left.first() {
            let address = *first as usize;
            // After a refill from afar there may be remote ones among them.
            let node = match home.owns(address) {
                true => home,
                false => self.owner_of(address).unwrap_or(home),
            };
            let cluster = node.cluster_of(address, id);
            let mut cache_node = node.cache_node(cluster, id).lock();
            let others = cache_node.take_back(node.place(cluster), id, left);
            left = left.get_mut(..others).unwrap_or_default();
        }
    }

    /// The same, of objects in a place that another thread may look at, so that they stay where they are.
    pub(crate) fn take_back_unmoved(&self, home: &Node, id: ClassId, objects: &[Slot]) {
        for some in objects.chunks(FEW) {
            let mut copy = [null_mut(); FEW];
            let copy = copy.get_mut(..some.len()).unwrap_or_default();
            copy.copy_from_slice(some);
            self.take_back(home, id, copy);
        }
    }

    #[cold]
    #[inline(never)]
    fn owner_of(&self, address: usize) -> Option<&'static Node> {
        self.nodes().find(|node| node.owns(address))
    }
}
