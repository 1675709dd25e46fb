//! The kernel's description of the machine, turned into a [`Topology`].
//!
//! The text comes from a reader, so a test can describe any machine.
#![forbid(unsafe_code)]

use super::node_set::number;
use super::{Distances, NodeSet, Topology};
use crate::units::NodeId;

/// A text that the kernel offers about its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// `/sys/devices/system/node/online`: a list of nodes.
    Online,
    /// `/sys/devices/system/node/has_memory`: a list of nodes.
    HasMemory,
    /// `/proc/self/status`, of which the line `Mems_allowed_list` counts.
    Status,
    /// `/sys/devices/system/node/nodeN/distance`: one number for each online node.
    Distance(NodeId),
    /// `/sys/kernel/mm/mempolicy/weighted_interleave/nodeN`: one number.
    Weight(NodeId),
}

/// Room for the longest text, which is `/proc/self/status`.
const TEXT_BYTES: usize = 4096;
/// Room for a list of nodes.
const LIST_BYTES: usize = 512;

impl Topology {
    /// The machine that `read` describes; it writes a text to the buffer and gives its length, or
    /// `None` where there is no such text. Without any text the machine has one node, number 0. How far apart nodes are is
    /// stored in `distances`.
    ///
    /// See the kernel's `Documentation/ABI/stable/sysfs-devices-node`.
    #[cold]
    #[inline(never)]
    pub(crate) fn detect(
        distances: &'static Distances,
        mut read: impl FnMut(Fact, &mut [u8]) -> Option<usize>,
    ) -> Self {
        let online = list(Fact::Online, &mut read);
        match online {
            None => Self::single(),
            Some(online) if online.len() == 1 => Self::uniform(online),
            Some(online) => Self::detect_nodes(online, distances, &mut read),
        }
    }

    /// The machine with these nodes, on a larger stack.
    #[cold]
    #[inline(never)]
    fn detect_nodes(
        online: NodeSet,
        distances: &'static Distances,
        mut read: &mut dyn FnMut(Fact, &mut [u8]) -> Option<usize>,
    ) -> Self {
        let with_memory = list(Fact::HasMemory, &mut read).unwrap_or(online);
        let mut text = [0; TEXT_BYTES];
        let status = read(Fact::Status, &mut text).and_then(|length| text.get(..length));
        let allowed = status.and_then(allowed_nodes).unwrap_or(online);
        let usable = with_memory.intersection(allowed);
        let mut topology = Self::uniform(if usable.is_empty() { online } else { usable });
        if topology.homes().len() == 1 {
            return topology;
        }
        topology.distances = Some(distances);
        for from in online.iter() {
            let Some(length) = read(Fact::Distance(from), &mut text) else {
                continue;
            };
            let numbers = line(text.get(..length).unwrap_or_default());
            let numbers = numbers.split(|byte| *byte == b' ').filter_map(number);
            for (to, distance) in online.iter().zip(numbers) {
                distances.set(from, to, u8::try_from(distance).unwrap_or(u8::MAX));
            }
        }
        topology
    }

    /// Asks `read` for the weight of each home; without a text it stays 1.
    ///
    /// See the kernel's `Documentation/ABI/testing/sysfs-kernel-mm-mempolicy-weighted-interleave`.
    pub(crate) fn detect_weights(
        &mut self,
        mut read: impl FnMut(Fact, &mut [u8]) -> Option<usize>,
    ) {
        for node in self.homes().iter() {
            let mut text = [0; 16];
            let length = read(Fact::Weight(node), &mut text);
            let weight = length.and_then(|_| number(line(&text)));
            self.set_weight(
                node,
                weight.and_then(|it| u8::try_from(it).ok()).unwrap_or(1),
            );
        }
    }

    pub(super) fn set_weight(&mut self, node: NodeId, weight: u8) {
        if let Some(entry) = self.weight.get_mut(node.index()) {
            *entry = weight;
        }
    }
}

/// The nodes in a text, if there are any.
fn list(fact: Fact, read: &mut impl FnMut(Fact, &mut [u8]) -> Option<usize>) -> Option<NodeSet> {
    let mut text = [0; LIST_BYTES];
    let length = read(fact, &mut text)?;
    NodeSet::parse(line(text.get(..length)?)).filter(|set| !set.is_empty())
}

/// The first line of a text.
fn line(text: &[u8]) -> &[u8] {
    text.split(|byte| matches!(byte, 0 | b'\n'))
        .next()
        .unwrap_or_default()
}

fn allowed_nodes(status: &[u8]) -> Option<NodeSet> {
    let mut lines = status.split(|byte| *byte == b'\n');
    let list = lines.find_map(|line| line.strip_prefix(b"Mems_allowed_list:"))?;
    NodeSet::parse(list)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn machine(texts: &'static [(Fact, &'static str)]) -> Topology {
        Topology::detect(Distances::leaked(), |fact, buffer| {
            let (_, text) = texts.iter().find(|(known, _)| *known == fact)?;
            buffer
                .get_mut(..text.len())?
                .copy_from_slice(text.as_bytes());
            Some(text.len())
        })
    }

    fn nodes(topology: &Topology, from: u8) -> Vec<u8> {
        topology
            .nearest_first(NodeId(from), topology.homes())
            .map(|node| node.0)
            .collect()
    }

    #[test]
    fn a_machine_without_sysfs_has_one_node() {
        assert_eq!(nodes(&machine(&[]), 0), [0]);
    }

    #[test]
    fn the_only_node_may_have_any_number() {
        assert_eq!(nodes(&machine(&[(Fact::Online, "2\n")]), 0), [2]);
    }

    #[test]
    fn distances_belong_to_online_nodes_in_order() {
        let topology = machine(&[
            (Fact::Online, "0,2-3\n"),
            (Fact::HasMemory, "0,2-3\n"),
            (Fact::Distance(NodeId(0)), "10 32 21\n"),
            (Fact::Distance(NodeId(2)), "32 10 16\n"),
        ]);
        assert_eq!(nodes(&topology, 0), [0, 3, 2]);
        assert_eq!(nodes(&topology, 2), [2, 3, 0]);
        assert_eq!(topology.distance(NodeId(0), NodeId(3)), 21);
    }

    #[test]
    fn weights_are_one_unless_the_kernel_has_others() {
        let mut topology = Topology::uniform(NodeSet::from_bits(0b111));
        topology.detect_weights(|fact, buffer| {
            let text: &[u8] = match fact {
                Fact::Weight(NodeId(0)) => b"5\n",
                Fact::Weight(NodeId(1)) => b"999\n",
                _ => return None,
            };
            buffer.get_mut(..text.len())?.copy_from_slice(text);
            Some(text.len())
        });
        assert_eq!(
            [0, 1, 2].map(|node| topology.weight(NodeId(node))),
            [5, 1, 1]
        );
    }

    #[test]
    fn memory_less_and_forbidden_nodes_are_no_homes() {
        let topology = machine(&[
            (Fact::Online, "0-3\n"),
            (Fact::HasMemory, "0-2\n"),
            (
                Fact::Status,
                "Name:\tx\nMems_allowed:\t6\nMems_allowed_list:\t1-2\n",
            ),
        ]);
        assert_eq!(topology.homes().bits(), 0b110);
        assert_eq!(topology.home_of(NodeId(3), topology.homes()), NodeId(1));
    }
}
