//! Memory on a node that the program names, and which node an address is on.
#![forbid(unsafe_code)]

use super::{Heap, Home, Node};
use crate::numa::Choice;
use crate::sys;
use crate::units::NodeId;

impl Heap {
    /// The node with this number, if threads take memory from it and from no other at once.
    pub(crate) fn node(&self, id: NodeId) -> Option<&'static Node> {
        let is_whole = |node: &Node| node.is_whole() || self.topology.homes().len() == 1;
        self.nodes()
            .find(|node| node.id() == id && is_whole(node) && self.settings.choice != Choice::Off)
    }

    /// The node that the memory at `address` is on; `None` for an address that is not the heap's.
    pub(crate) fn node_of(&self, address: usize) -> Option<NodeId> {
        match self.locate(address) {
            Home::Slab { node, .. }
            | Home::Sampled { node, .. }
            | Home::Named { node, .. }
            | Home::Page { node, .. }
                if node.is_whole() =>
            {
                Some(node.id())
            }
            Home::Slab { .. } | Home::Sampled { .. } | Home::Named { .. } | Home::Page { .. } => {
                self.ask(address)
            }
            Home::Outside if self.huge.has(address) => self.ask(address),
            Home::Outside => None,
        }
    }

    /// The kernel's answer, which a machine with one node does not need.
    fn ask(&self, address: usize) -> Option<NodeId> {
        if self.topology.homes().len() == 1 {
            return self.homes.iter().next();
        }
        sys::node_of_page(address).map(NodeId)
    }
}
