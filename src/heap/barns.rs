//! Taking the objects in barns back into the slabs.
#![forbid(unsafe_code)]

use super::{Heap, Node};
use crate::slab::{Barn, Sheaf, class};
use crate::units::{ClassId, ClusterId};

impl Heap {
    /// Takes the objects in the barns back into the slabs.
    pub(crate) fn empty_barns(&self) {
        for node in self.nodes() {
            for id in class::all() {
                for (cluster, _) in node.used_cache_nodes(id) {
                    while self
                        .flush_from_barn(node, cluster, id, Barn::take_any)
                        .is_some()
                    {}
                }
            }
        }
    }

    /// Takes a sheaf from a barn by `take`, and its objects back into their slabs; returns how many. `None` if there is none.
    pub(super) fn flush_from_barn(
        &self,
        node: &Node,
        cluster: ClusterId,
        id: ClassId,
        take: impl FnOnce(&mut Barn) -> Option<Sheaf>,
    ) -> Option<usize> {
        // The cache node is locked by each statement anew: a flush locks it too.
        let cache_node = node.cache_node(cluster, id);
        let taken = take(&mut cache_node.lock().barn);
        let mut sheaf = taken?;
        let count = sheaf.count();
        self.flush(node, id, &mut sheaf);
        cache_node.lock().barn.put_empty(sheaf);
        Some(count)
    }
}
