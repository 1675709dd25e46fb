//! What a user may choose about nodes, and what follows from it for each range of memory.
#![forbid(unsafe_code)]

use super::{NodeSet, Topology};
use crate::sys::{CYCLE, Policy, Stripes};
use crate::units::NodeId;

/// Where memory comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// From the thread's node, and from the nearest to it where that is short.
    Local,
    /// From all nodes in turn: large and huge blocks by page, slabs by slab.
    Interleave,
    /// As before, in the proportions of the kernel's weights.
    Weighted,
    /// Only from these nodes, the nearest first.
    Bind(NodeSet),
    /// From this node, wherever the thread runs.
    Prefer(NodeId),
    /// From wherever the kernel takes it.
    Off,
}

impl Choice {
    /// Reads what stands behind `numa:` in the configuration.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let nodes = |list| NodeSet::parse(list).filter(|set| !set.is_empty());
        if let Some(list) = text.strip_prefix(b"bind=") {
            return Some(Self::Bind(nodes(list)?));
        }
        if let Some(list) = text.strip_prefix(b"prefer=") {
            let mut all = nodes(list)?.iter();
            return Some(Self::Prefer(all.next()?)).filter(|_| all.next().is_none());
        }
        match text {
            b"local" => Some(Self::Local),
            b"interleave" => Some(Self::Interleave),
            b"weighted" => Some(Self::Weighted),
            b"off" => Some(Self::Off),
            _ => None,
        }
    }

    /// Whether the machine has the nodes that are asked for.
    pub(crate) fn fits(self, topology: &Topology) -> bool {
        match self {
            Self::Bind(nodes) => nodes.intersection(topology.homes()) == nodes,
            Self::Prefer(node) => topology.homes().contains(node),
            _ => true,
        }
    }

    /// The nodes that get an arena of their own, whose threads take memory from it.
    pub(crate) fn homes(self, topology: &Topology) -> NodeSet {
        let all = topology.homes();
        match self {
            Self::Local => all,
            Self::Bind(nodes) => nodes,
            Self::Prefer(node) => NodeSet::single(node),
            Self::Interleave | Self::Weighted | Self::Off => {
                NodeSet::single(all.iter().next().unwrap_or(NodeId(0)))
            }
        }
    }

    /// Whether large blocks have an arena of their own, apart from the slabs'.
    pub(crate) fn spreads(self, topology: &Topology) -> bool {
        matches!(self, Self::Interleave | Self::Weighted) && topology.homes().len() > 1
    }

    /// Where the slabs of `home`'s arena come from, and its large blocks if they have no other.
    pub(crate) fn arena(self, topology: &Topology, home: NodeId) -> Option<Policy> {
        if !self.spreads(topology) {
            return self.block(topology, home);
        }
        let weights = topology.homes().iter().map(|node| topology.weight(node));
        let sum: usize = weights.map(usize::from).sum();
        let stripes = topology.homes().iter().flat_map(|node| {
            let weight = usize::from(topology.weight(node));
            // In lowest terms where that fits, else as near as the cycle allows.
            let turns = if sum <= CYCLE {
                weight
            } else {
                weight * CYCLE / sum
            };
            core::iter::repeat_n(node.0, turns.max(1))
        });
        Some(Policy::Striped(Stripes::new(stripes)))
    }

    /// Where a large or huge block for a thread of `home` comes from.
    pub(crate) fn block(self, topology: &Topology, home: NodeId) -> Option<Policy> {
        let only_one = topology.homes().len() == 1;
        match self {
            Self::Off => None,
            _ if only_one => None,
            Self::Local | Self::Prefer(_) => Some(Policy::Prefer(home.0)),
            Self::Bind(nodes) => Some(Policy::Bind {
                mask: nodes.bits(),
                home: home.0,
            }),
            Self::Interleave | Self::Weighted => Some(Policy::Interleave {
                mask: topology.homes().bits(),
                weighted: self == Self::Weighted,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(bits: u64) -> NodeSet {
        NodeSet::from_bits(bits)
    }

    #[test]
    fn every_choice_has_its_text() {
        assert_eq!(Choice::parse(b"local"), Some(Choice::Local));
        assert_eq!(
            Choice::parse(b"bind=0,2-3"),
            Some(Choice::Bind(set(0b1101)))
        );
        assert_eq!(
            Choice::parse(b"prefer=63"),
            Some(Choice::Prefer(NodeId(63)))
        );
        for bad in [
            &b"bind="[..],
            b"bind=x",
            b"bind=64",
            b"prefer=1,2",
            b"prefer=",
            b"Local",
            b"",
        ] {
            assert_eq!(Choice::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_machine_with_one_node_is_left_alone() {
        let one = Topology::uniform(set(0b100));
        for choice in [
            Choice::Local,
            Choice::Interleave,
            Choice::Weighted,
            Choice::Off,
        ] {
            assert_eq!(choice.homes(&one), set(0b100));
            assert_eq!(choice.arena(&one, NodeId(2)), None);
        }
    }

    #[test]
    fn stripes_follow_the_weights() {
        let mut machine = Topology::uniform(set(0b101));
        machine.set_weight(NodeId(2), 3);
        let stripes = Stripes::new([0, 2, 2, 2].into_iter());
        let policy = Choice::Weighted.arena(&machine, NodeId(0));
        assert_eq!(policy, Some(Policy::Striped(stripes)));
    }
}
