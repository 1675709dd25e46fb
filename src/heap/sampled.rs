//! Objects that a heap profile has sampled.
#![forbid(unsafe_code)]

use super::{Heap, Node};
use crate::slab::{Object, class};
use crate::units::{ClassId, ClusterId};

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
    fn take_sampled(&self, id: ClassId) -> Option<Object> {
        let sampled = self.make_sampled()?;
        sampled.take(self.place(ClusterId::default()), id)
    }

    /// Takes the object of class `id` back, which was one.
    pub(super) fn give_sampled(&self, id: ClassId, object: Object) {
        if let Some(sampled) = self.sampled() {
            sampled.give(self.place(ClusterId::default()), id, object);
        }
    }
}
