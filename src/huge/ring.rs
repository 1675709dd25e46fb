//! Rings of extents: doubly linked lists whose last node leads to the first.
//!
//! # Invariant
//!
//! A node is in at most one ring of each lane.
#![forbid(unsafe_code)]

use super::node::{Lane, Nodes, Number};

/// A ring, known by its first node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    first: Number,
}

impl Ring {
    /// No nodes.
    pub(super) const EMPTY: Self = Self { first: 0 };

    /// The first node, 0 for none.
    pub(super) fn first(self) -> Number {
        self.first
    }

    /// The node after another, 0 after the last.
    pub(super) fn after(self, nodes: &Nodes, lane: Lane, place: Number) -> Number {
        match nodes.get(place).next_in(lane) {
            next if next == self.first => 0,
            next => next,
        }
    }

    /// Takes a node in as the last.
    #[inline]
    pub(super) fn append(&mut self, nodes: &Nodes, lane: Lane, place: Number) {
        let (node, first) = (nodes.get(place), self.first);
        if first == 0 {
            node.set_next_in(lane, place);
            node.set_last_in(lane, place);
            self.first = place;
            return;
        }
        let last = nodes.get(first).last_in(lane);
        node.set_last_in(lane, last);
        node.set_next_in(lane, first);
        nodes.get(last).set_next_in(lane, place);
        nodes.get(first).set_last_in(lane, place);
    }

    /// Takes a node in as the first.
    #[inline]
    pub(super) fn prepend(&mut self, nodes: &Nodes, lane: Lane, place: Number) {
        self.append(nodes, lane, place);
        self.first = place;
    }

    /// Takes a node out.
    #[inline]
    pub(super) fn remove(&mut self, nodes: &Nodes, lane: Lane, place: Number) {
        let node = nodes.get(place);
        let (last, next) = (node.last_in(lane), node.next_in(lane));
        nodes.get(last).set_next_in(lane, next);
        nodes.get(next).set_last_in(lane, last);
        if self.first == place {
            self.first = if next == place { 0 } else { next };
        }
    }
}
