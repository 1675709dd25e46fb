//! All mappings of huge blocks, in use and free, ordered by address; the free ones by length and age, too.
//!
//! # Invariant
//!
//! Extents do not overlap, and free neighbours of one kind are one. `runs` is at least the number of mappings that
//! the kernel has for all of them, but for what the program did to blocks in use.
#![forbid(unsafe_code)]

mod kinds;

use super::lengths::Lengths;
use super::node::{Lane, Nodes, Number};
use super::ring::Ring;
use crate::sys::Mapping;

/// What an extent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A block.
    Used = 1,
    /// A block that has, or once had, other properties than a fresh mapping.
    Changed,
    /// A block whose properties the program may have changed: the kernel is asked at its end.
    Noted,
    /// Free, with memory.
    Kept,
    /// Free, without memory: it reads as zeroes.
    Vacant,
}

/// Mappings by address.
#[derive(Debug)]
pub(super) struct Extents {
    pub(super) nodes: Nodes,
    pub(super) blocks: usize,
    pub(super) used_bytes: usize,
    pub(super) kept_bytes: usize,
    pub(super) vacant_bytes: usize,
    runs: usize,
    pub(super) kept: Lengths,
    pub(super) vacant: Lengths,
    /// What is kept, the oldest first.
    pub(super) ages: Ring,
    /// The state of a random generator.
    pub(super) random: u64,
    /// Levels that the list by address has; all above are empty.
    pub(super) levels: usize,
}

impl Extents {
    /// No mappings.
    pub(super) const fn new() -> Self {
        Self {
            nodes: Nodes::new(),
            blocks: 0,
            used_bytes: 0,
            kept_bytes: 0,
            vacant_bytes: 0,
            runs: 0,
            kept: Lengths::new(),
            vacant: Lengths::new(),
            ages: Ring::EMPTY,
            random: 0x9e37_79b9_7f4a_7c15,
            levels: 1,
        }
    }

    /// Makes sure that a few more mappings fit.
    pub(super) fn make_room(&mut self) -> bool {
        self.nodes.make_room(4)
    }

    /// Gives the tables back if there are no mappings.
    pub(super) fn abandon(&mut self) {
        if self.runs == 0 {
            self.nodes.abandon();
        }
    }

    /// Number of blocks.
    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Bytes of all blocks.
    pub(super) fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// Bytes that are kept.
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// Bytes that are vacant.
    pub(super) fn vacant_bytes(&self) -> usize {
        self.vacant_bytes
    }

    /// Mappings of the kernel's, at most.
    pub(super) fn runs(&self) -> usize {
        self.runs
    }

    /// The block that begins at `address`.
    pub(super) fn block_at(&self, address: usize) -> Option<Number> {
        let place = self.at(address)?;
        self.is_block(place).then_some(place)
    }

    /// Whether `address` lies inside a block, not at its start.
    pub(super) fn is_inside(&self, address: usize) -> bool {
        let place = self.last_below(address);
        place != 0 && self.is_block(place) && address < self.end(place)
    }

    /// Length of an extent.
    #[inline]
    pub(super) fn bytes(&self, place: Number) -> usize {
        self.nodes.get(place).cell.bytes()
    }

    /// What an extent is.
    #[inline]
    pub(super) fn kind(&self, place: Number) -> Kind {
        match self.nodes.get(place).kind() {
            1 => Kind::Used,
            2 => Kind::Changed,
            3 => Kind::Noted,
            4 => Kind::Kept,
            _ => Kind::Vacant,
        }
    }

    /// Takes a mapping in, as one with its free neighbours of the same kind; gives it back where there is no room.
    pub(super) fn insert(&mut self, mut mapping: Mapping, kind: Kind) -> Result<(), Mapping> {
        if matches!(kind, Kind::Kept | Kind::Vacant) {
            let sides = self.around(mapping.address());
            for side in [sides.before, sides.after] {
                if side != 0 && self.kind(side) == kind {
                    mapping = self.joined(mapping, side);
                }
            }
        }
        let Some(place) = self.nodes.take_spare() else {
            return Err(mapping);
        };
        let bytes = mapping.bytes();
        let node = self.nodes.get(place);
        node.cell.put(mapping);
        node.set_kind(kind as u8);
        self.count(kind, bytes.cast_signed());
        self.link(place);
        self.runs += 1;
        self.runs -= self.joined_sides_of(place).min(self.runs);
        self.offer(place);
        Ok(())
    }

    /// Takes an extent out.
    pub(super) fn remove(&mut self, place: Number) -> Option<Mapping> {
        let kind = self.kind(place);
        self.runs += self.joined_sides_of(place);
        self.runs = self.runs.saturating_sub(1);
        self.unlink(place);
        self.withdraw(place);
        let node = self.nodes.get(place);
        let mapping = node.cell.take()?;
        node.set_kind(0);
        self.nodes.give(place);
        self.count(kind, -mapping.bytes().cast_signed());
        Some(mapping)
    }

    /// Lets a free extent be found by length and age.
    #[inline]
    fn offer(&mut self, place: Number) {
        match self.kind(place) {
            Kind::Used | Kind::Changed | Kind::Noted => {}
            Kind::Kept => {
                self.kept.link(&self.nodes, place);
                self.ages.append(&self.nodes, Lane::Age, place);
            }
            Kind::Vacant => self.vacant.link(&self.nodes, place),
        }
    }

    /// Lets an extent not be found any more.
    #[inline]
    fn withdraw(&mut self, place: Number) {
        match self.kind(place) {
            Kind::Used | Kind::Changed | Kind::Noted => {}
            Kind::Kept => {
                self.kept.unlink(&self.nodes, place);
                self.ages.remove(&self.nodes, Lane::Age, place);
            }
            Kind::Vacant => self.vacant.unlink(&self.nodes, place),
        }
    }

    #[inline]
    fn count(&mut self, kind: Kind, bytes: isize) {
        let sum = match kind {
            Kind::Used | Kind::Changed | Kind::Noted => {
                self.blocks = self.blocks.saturating_add_signed(bytes.signum());
                &mut self.used_bytes
            }
            Kind::Kept => &mut self.kept_bytes,
            Kind::Vacant => &mut self.vacant_bytes,
        };
        *sum = sum.saturating_add_signed(bytes);
    }

    #[inline]
    fn is_block(&self, place: Number) -> bool {
        !matches!(self.kind(place), Kind::Kept | Kind::Vacant)
    }

    /// The address after an extent.
    pub(super) fn end(&self, place: Number) -> usize {
        let cell = &self.nodes.get(place).cell;
        cell.address() + cell.bytes()
    }

    /// The extent that begins at `address`.
    fn at(&self, address: usize) -> Option<Number> {
        let place = self.around(address).after;
        (place != 0 && self.nodes.get(place).cell.address() == address).then_some(place)
    }

    /// The last extent that begins below `address`.
    fn last_below(&self, address: usize) -> Number {
        self.around(address).before
    }
}

#[cfg(test)]
#[path = "extents_tests.rs"]
mod tests;
