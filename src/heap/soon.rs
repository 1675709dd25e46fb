//! Memory for callers that must not wait: from what has memory, and only where no lock is to be waited for.
#![forbid(unsafe_code)]

use super::{Heap, Node};
use crate::arena::Use;
use crate::slab::{CacheNode, Object, class};
use crate::units::{BLOCK_SIZE, ClassId, ClusterId, Order, pages_for};

impl Heap {
    /// A block of at least `bytes` at a multiple of `align`, at most 4 MiB; `None` although there may be memory.
    #[cold]
    pub(crate) fn take_soon(&self, home: &Node, bytes: usize, align: usize) -> Option<Object> {
        if let Some(id) = class::aligned_class_of(bytes, align) {
            return home.take_one_soon(id);
        }
        if bytes > BLOCK_SIZE || align > BLOCK_SIZE {
            return None;
        }
        let (pages, order) = (pages_for(bytes) as u32, pages_for(align) as u32);
        let arena = home.arena();
        let span = arena.take_soon(pages, Order::holding(order), Use::Large)?;
        Some(arena.region().at(span.first.offset()))
    }
}

impl Node {
    fn take_one_soon(&self, id: ClassId) -> Option<Object> {
        // A thread that must not wait is as well served by one cluster as by another.
        let cluster = ClusterId::default();
        let (cache_node, place) = (self.cache_node(cluster, id), self.place(cluster));
        let object = cache_node.lock_soon()?.take_one(place, id);
        if object.is_some() {
            return object;
        }
        let slab = CacheNode::new_slab_soon(place, id)?;
        let mut cache_node = cache_node.lock();
        cache_node.add(place, slab);
        cache_node.take_one(place, id)
    }
}
