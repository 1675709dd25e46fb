//! Free extents by length: a ring for each quarter of a doubling, and a bit for each ring that has any.
#![forbid(unsafe_code)]

use super::node::{Lane, Nodes, Number};
use super::ring::Ring;

/// The shortest extent has two to the power of this.
const SHORTEST: usize = 12;
/// Whatever has two to the power of this, or more, is in the last ring.
const LONGEST: usize = 43;
const RINGS: usize = (LONGEST - SHORTEST) * 4 + 1;
const _: () = assert!(RINGS <= u128::BITS as usize);

/// The free extents of a kind.
#[derive(Debug)]
pub(super) struct Lengths {
    rings: [Ring; RINGS],
    filled: u128,
}

impl Lengths {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            rings: [Ring::EMPTY; RINGS],
            filled: 0,
        }
    }

    /// Takes an extent in, as the first one of its ring.
    #[inline]
    pub(super) fn link(&mut self, nodes: &Nodes, place: Number) {
        let index = ring_of(nodes.get(place).cell.bytes());
        if let Some(ring) = self.rings.get_mut(index) {
            ring.prepend(nodes, Lane::Length, place);
            self.filled |= 1 << index;
        }
    }

    /// Takes an extent out, which has still the length that it came with.
    #[inline]
    pub(super) fn unlink(&mut self, nodes: &Nodes, place: Number) {
        let index = ring_of(nodes.get(place).cell.bytes());
        if let Some(ring) = self.rings.get_mut(index) {
            ring.remove(nodes, Lane::Length, place);
            if ring.first() == 0 {
                self.filled &= !(1 << index);
            }
        }
    }

    /// Extents from the ring of `bytes` on, ring by ring: all that are as long, and a few shorter ones before those.
    pub(super) fn from<'a>(
        &'a self,
        nodes: &'a Nodes,
        bytes: usize,
    ) -> impl Iterator<Item = Number> + 'a {
        let first = self.first_from(ring_of(bytes));
        let next = move |(index, place): &(usize, Number)| {
            let ring = self.rings.get(*index)?;
            match ring.after(nodes, Lane::Length, *place) {
                0 => self.first_from(index + 1),
                next => Some((*index, next)),
            }
        };
        core::iter::successors(first, next).map(|(_, place)| place)
    }

    /// The first ring from `index` on that has any, and its first extent.
    fn first_from(&self, index: usize) -> Option<(usize, Number)> {
        let left = self.filled.checked_shr(index as u32)?;
        let index = index + left.trailing_zeros() as usize;
        (left != 0).then_some((index, self.rings.get(index)?.first()))
    }

    /// One of the longest.
    pub(super) fn longest(&self) -> Option<Number> {
        let index = self.filled.checked_ilog2()? as usize;
        self.rings.get(index).map(|ring| ring.first())
    }
}

/// The ring of extents of `bytes`.
fn ring_of(bytes: usize) -> usize {
    let doubling = bytes.max(1 << SHORTEST).ilog2() as usize;
    let quarter = bytes >> (doubling - 2) & 3;
    ((doubling - SHORTEST) * 4 + quarter).min(RINGS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_extents_have_later_rings() {
        assert_eq!(ring_of(4096), 0);
        assert_eq!(ring_of(5119), 0);
        assert_eq!(ring_of(5120), 1);
        assert_eq!(ring_of(8192), 4);
        assert_eq!(ring_of(usize::MAX), RINGS - 1);
        let rings = (12..64).map(|shift| ring_of(1 << shift));
        assert!(rings.is_sorted());
    }
}
