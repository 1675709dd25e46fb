//! A set of nodes in one word.
#![forbid(unsafe_code)]

use core::ops::RangeInclusive;

use crate::units::{MAX_NODES, NodeId};

/// A set of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeSet(u64);

impl NodeSet {
    /// The set with one node.
    pub(crate) const fn single(node: NodeId) -> Self {
        Self(1 << node.index())
    }

    /// The set of the nodes whose bits are set.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// One bit for each node.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Reads the kernel's list format, `0-3,8`; numbers from 64 on are left out.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut set = Self::default();
        for range in ranges(text) {
            for node in range?.take_while(|node| *node < MAX_NODES) {
                set.insert(NodeId(node as u8));
            }
        }
        Some(set)
    }

    /// Adds a node.
    pub(crate) const fn insert(&mut self, node: NodeId) {
        self.0 |= 1 << node.index();
    }

    /// Takes a node out.
    pub(crate) const fn remove(&mut self, node: NodeId) {
        self.0 &= !(1 << node.index());
    }

    /// Whether the node is in the set.
    pub(crate) const fn contains(self, node: NodeId) -> bool {
        (node.0 as usize) < MAX_NODES && self.0 & 1 << node.index() != 0
    }

    /// Number of nodes.
    pub(crate) const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is no node.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Nodes of both sets.
    pub(crate) const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The nodes by number.
    pub(crate) fn iter(self) -> impl Iterator<Item = NodeId> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let lowest = (left != 0).then(|| NodeId(left.trailing_zeros() as u8));
            left &= left.wrapping_sub(1);
            lowest
        })
    }
}

/// The ranges of the kernel's list format; `None` for an unknown format.
pub(super) fn ranges(text: &[u8]) -> impl Iterator<Item = Option<RangeInclusive<usize>>> {
    let parts = text.trim_ascii().split(|byte| *byte == b',');
    parts.filter(|part| !part.is_empty()).map(|part| {
        let mut ends = part.splitn(2, |byte| *byte == b'-');
        let first = number(ends.next()?)?;
        let last = ends.next().map_or(Some(first), number)?;
        Some(first..=last)
    })
}

/// A decimal number that fits; anything else is `None`.
pub(super) fn number(text: &[u8]) -> Option<usize> {
    let digits = text.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_usize, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| usize::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_format_is_understood() {
        assert_eq!(NodeSet::parse(b"0\n").unwrap().bits(), 1);
        assert_eq!(NodeSet::parse(b"0-3,8\n").unwrap().bits(), 0b1_0000_1111);
        assert_eq!(NodeSet::parse(b"\n").unwrap(), NodeSet::default());
        assert_eq!(NodeSet::parse(b"62-70").unwrap().bits(), 0b11 << 62);
        assert_eq!(NodeSet::parse(b"a-b"), None);
    }
}
