//! Making way where a node grows: what is unused becomes free memory first, and what cannot serve goes back in place of what
//! was added.
//!
//! # Invariant
//!
//! As long as the node has grown by little, nothing is done; and nothing is done for longer than a purge may
//! take in a call.
#![forbid(unsafe_code)]

use super::{Heap, Node};
use crate::decay::Budget;
use crate::slab::{Barn, class};
use crate::sys::{self, HugePages};
use crate::units::{ClassId, PAGE_SIZE};

impl Heap {
    /// Makes way in a node that has grown; no memory goes back to the system unless that `may_purge`.
    pub(crate) fn make_way(&self, node: &Node, may_purge: bool, budget: &mut Budget) {
        // Where less memory is worth more time nothing waits there.
        for id in class::all().filter(|_| !self.is_tiny()) {
            if budget.is_spent() {
                return;
            }
            self.shed(node, id, budget);
        }
        // Small pieces that go back would break huge pages.
        let kept = match may_purge && self.settings.huge_pages != HugePages::Always {
            true => self.kept_bytes() / PAGE_SIZE,
            false => usize::MAX,
        };
        node.arena()
            .make_up_for_growth(sys::milliseconds(), kept, budget);
    }

    /// Takes the objects in barns of a class back into the slabs, and gives up slabs without an object in use.
    fn shed(&self, node: &Node, id: ClassId, budget: &mut Budget) {
        for (cluster, cache_node) in node.used_cache_nodes(id) {
            if budget.is_spent() {
                return;
            }
            budget.visit();
            while !budget.is_spent()
                && let Some(count) = self.flush_from_barn(node, cluster, id, Barn::take_any)
            {
                budget.flush(count);
            }
            cache_node.lock().trim(node.place(cluster), id, 0);
        }
    }
}
