//! The end of a heap whose code goes: what holds no block of the program's goes back, tables and addresses included.
#![forbid(unsafe_code)]

use super::{Heap, Node};

impl Heap {
    /// Gives back what holds no block. Nobody uses the heap any more, and all thread caches are empty; `keeps_caches` if
    /// the caches themselves must stay.
    pub(crate) fn abandon(&self, keeps_caches: bool) {
        self.trim();
        self.huge.abandon();
        self.nodes().for_each(|node| node.abandon(keeps_caches));
    }
}

impl Node {
    /// The node itself lies in what goes.
    fn abandon(&self, keeps_caches: bool) {
        let region = self.arena().region();
        let used = match self.arena().used_bytes() {
            0 => 0,
            _ => self.arena().committed_bytes(),
        };
        let start = core::ptr::from_ref(self).addr();
        let [first, later] = self.metadata().extents();
        let parts = match keeps_caches {
            false => [start..region.address(), 0..0, 0..0],
            true => [
                start..first.start,
                first.end..later.start,
                later.end..region.address(),
            ],
        };
        // Where parts went back before, others may be there by now.
        let is_whole = !self.has_shrunk();
        region.abandon(parts.map(|part| if is_whole { part } else { 0..0 }), used);
    }
}
