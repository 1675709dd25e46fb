//! Which nodes have memory that this process may use, and how far apart they are.
//!
//! # Invariant
//!
//! There is at least one node. Node numbers may have gaps; a place in `homes` never has.
#![forbid(unsafe_code)]

mod choice;
mod cpus;
mod detect;
mod distances;
mod node_set;
mod stat;

pub(crate) use choice::Choice;
pub(crate) use cpus::{CpuBits, Cpus, MAX_CPUS};
pub(crate) use detect::Fact;
pub(crate) use distances::Distances;
pub(crate) use node_set::NodeSet;
pub use stat::NAMES as NUMASTAT_NAMES;
pub(crate) use stat::{NumaStat, Source};

use crate::units::{MAX_NODES, NodeId};

/// The distance that the kernel reports for a node to itself.
const LOCAL: u8 = 10;
/// The distance assumed where the kernel does not tell.
const REMOTE: u8 = 20;

/// The nodes of a machine as one process may use them.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    /// Nodes that have memory and are allowed.
    homes: NodeSet,
    /// Where the kernel has told.
    distances: Option<&'static Distances>,
    /// The share of each node where memory is spread by weight.
    weight: [u8; MAX_NODES],
}

impl Topology {
    /// A machine with one node.
    pub(crate) const fn single() -> Self {
        Self::uniform(NodeSet::single(NodeId(0)))
    }

    /// A machine with these nodes, all equally far apart.
    pub(crate) const fn uniform(homes: NodeSet) -> Self {
        Self {
            homes,
            distances: None,
            weight: [1; MAX_NODES],
        }
    }

    /// Nodes to place memory on.
    pub(crate) const fn homes(&self) -> NodeSet {
        self.homes
    }

    /// Leaves out the homes that are not among `allowed`, one bit for each node, unless none is left.
    pub(crate) fn restrict(&mut self, allowed: u64) {
        let left = self.homes.intersection(NodeSet::from_bits(allowed));
        if !left.is_empty() {
            self.homes = left;
        }
    }

    /// The share of `node` where memory is spread by weight, at least 1.
    pub(crate) fn weight(&self, node: NodeId) -> u8 {
        self.weight.get(node.index()).copied().unwrap_or(1).max(1)
    }

    /// The distance that memory of `to` has for a CPU of `from`; 10 is local.
    pub(crate) fn distance(&self, from: NodeId, to: NodeId) -> u8 {
        let known = self.distances.and_then(|distances| distances.get(from, to));
        known.unwrap_or(if from == to { LOCAL } else { REMOTE })
    }

    /// The nodes `among`, the nearest to `from` first, then by number.
    pub(crate) fn nearest_first(
        &self,
        from: NodeId,
        among: NodeSet,
    ) -> impl Iterator<Item = NodeId> + '_ {
        let mut left = among;
        core::iter::from_fn(move || {
            let nearest = left.iter().min_by_key(|node| self.distance(from, *node))?;
            left.remove(nearest);
            Some(nearest)
        })
    }

    /// The node `among` these that serves a thread on `node`: itself, or the nearest.
    pub(crate) fn home_of(&self, node: NodeId, among: NodeSet) -> NodeId {
        if among.contains(node) {
            return node;
        }
        self.nearest_first(node, among).next().unwrap_or(NodeId(0))
    }
}

#[cfg(test)]
mod machines;
#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn the_nearest_node_comes_first_and_ties_go_by_number() {
        let mut topology = Topology::uniform(NodeSet::from_bits(0b1111));
        let distances = Distances::leaked();
        for (to, distance) in [(0, 40), (1, 40), (2, 10), (3, 15)] {
            distances.set(NodeId(2), NodeId(to), distance);
        }
        topology.distances = Some(distances);
        let order: Vec<u8> = topology
            .nearest_first(NodeId(2), topology.homes())
            .map(|node| node.0)
            .collect();
        assert_eq!(order, [2, 3, 0, 1]);
    }

    #[test]
    fn forbidden_nodes_are_no_homes_unless_all_are() {
        let mut topology = Topology::uniform(NodeSet::from_bits(0b1101));
        topology.restrict(0b0110);
        assert_eq!(topology.homes().bits(), 0b0100);
        topology.restrict(0b1000);
        assert_eq!(topology.homes().bits(), 0b0100);
    }

    #[test]
    fn a_node_without_memory_is_served_by_its_neighbour() {
        let topology = Topology::uniform(NodeSet::from_bits(0b101));
        let home = |node| topology.home_of(NodeId(node), topology.homes());
        let homes = [0, 1, 2, 63].map(home);
        assert_eq!(homes, [0, 0, 2, 0].map(NodeId));
        assert!(topology.homes().contains(home(66)));
    }
}
