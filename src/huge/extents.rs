//! All mappings of huge blocks, in use and free, ordered by address; the free ones by length and age, too.
//!
//! # Invariant
//!
//! Extents do not overlap, and free neighbours of one kind are one. `runs` is at least the number of mappings that
//! the kernel has for all of them, but for what the program did to blocks in use.
#![forbid(unsafe_code)]

use super::lists::{HEAD, VACANT_HEAD, head_of};
use super::node::{Lane, Nodes, Number};
use crate::sys::Mapping;

/// What an extent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A block.
    Used = 1,
    /// A block that has, or once had, other properties than a fresh mapping.
    Changed,
    /// Free, with memory.
    Kept,
    /// Free, without memory: it reads as zeroes.
    Vacant,
}

/// Mappings by address.
#[derive(Debug)]
pub(super) struct Extents {
    pub(super) nodes: Nodes,
    blocks: usize,
    used_bytes: usize,
    kept_bytes: usize,
    vacant_bytes: usize,
    runs: usize,
    pub(super) oldest: Number,
    pub(super) newest: Number,
    /// The state of a random generator.
    pub(super) random: u64,
    /// Levels that lists have; all above are empty.
    pub(super) levels: usize,
}

/// The neighbours of an extent, 0 for none.
struct Neighbours {
    before: Number,
    behind: Number,
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
            oldest: 0,
            newest: 0,
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
    pub(super) fn bytes(&self, place: Number) -> usize {
        self.nodes.get(place).cell.bytes()
    }

    /// What an extent is.
    pub(super) fn kind(&self, place: Number) -> Kind {
        match self.nodes.get(place).kind() {
            1 => Kind::Used,
            2 => Kind::Changed,
            3 => Kind::Kept,
            _ => Kind::Vacant,
        }
    }

    /// On how many sides a mapping that is not stored here is surely one with what is.
    pub(super) fn joined_sides(&self, mapping: &Mapping) -> usize {
        let sides = self.neighbours(mapping.address());
        let group = (mapping.mark(), mapping.group());
        let end = mapping.address() + mapping.bytes();
        usize::from(self.ends_at(sides.before, mapping.address(), group))
            + usize::from(self.begins_at(sides.behind, end, group))
    }

    /// Whether an extent is surely one mapping with what is on both sides.
    pub(super) fn is_enclosed(&self, place: Number) -> bool {
        let before = self.neighbours(self.nodes.get(place).cell.address()).before;
        let behind = self.next(Lane::Address, place);
        before != 0 && behind != 0 && self.is_joined(before, place) && self.is_joined(place, behind)
    }

    /// Takes the vacant extents of at most `most` bytes next to a mapping that is not stored here out, as one with it.
    pub(super) fn with_vacant_sides(&mut self, mut mapping: Mapping, most: usize) -> Mapping {
        let sides = self.neighbours(mapping.address());
        for side in [sides.before, sides.behind] {
            if side != 0 && self.kind(side) == Kind::Vacant && self.bytes(side) <= most {
                mapping = self.joined(mapping, side);
            }
        }
        mapping
    }

    /// Takes a mapping in, as one with its free neighbours of the same kind; gives it back where there is no room.
    pub(super) fn insert(&mut self, mut mapping: Mapping, kind: Kind) -> Result<(), Mapping> {
        if matches!(kind, Kind::Kept | Kind::Vacant) {
            let sides = self.neighbours(mapping.address());
            for side in [sides.before, sides.behind] {
                if side != 0 && self.kind(side) == kind {
                    mapping = self.joined(mapping, side);
                }
            }
        }
        let Some(place) = self.nodes.take_spare() else {
            return Err(mapping);
        };
        self.runs += 1;
        self.runs -= self.joined_sides(&mapping).min(self.runs);
        let bytes = mapping.bytes();
        let node = self.nodes.get(place);
        node.cell.put(mapping);
        node.set_kind(kind as u8);
        self.count(kind, bytes.cast_signed());
        self.link(Lane::Address, HEAD, place);
        match kind {
            Kind::Used | Kind::Changed => {}
            Kind::Kept => {
                self.link(Lane::Length, HEAD, place);
                self.append(place);
            }
            Kind::Vacant => self.link(Lane::Length, VACANT_HEAD, place),
        }
        Ok(())
    }

    /// Takes an extent out.
    pub(super) fn remove(&mut self, place: Number) -> Option<Mapping> {
        let kind = self.kind(place);
        self.unlink(Lane::Address, HEAD, place);
        match kind {
            Kind::Used | Kind::Changed => {}
            Kind::Kept => {
                self.unlink(Lane::Length, HEAD, place);
                self.detach(place);
            }
            Kind::Vacant => self.unlink(Lane::Length, VACANT_HEAD, place),
        }
        let node = self.nodes.get(place);
        let mapping = node.cell.take()?;
        node.set_kind(0);
        self.nodes.give(place);
        self.count(kind, -mapping.bytes().cast_signed());
        self.runs += self.joined_sides(&mapping);
        self.runs = self.runs.saturating_sub(1);
        Some(mapping)
    }

    /// Takes an extent out whose mapping comes back by [`Self::put_back`].
    pub(super) fn borrow(&mut self, place: Number) -> Option<Mapping> {
        let mapping = self.remove(place)?;
        self.nodes.promise();
        Some(mapping)
    }

    /// Stores a block that was borrowed.
    pub(super) fn put_back(&mut self, mapping: Mapping, kind: Kind) -> Result<(), Mapping> {
        self.nodes.redeem();
        self.insert(mapping, kind)
    }

    /// Cuts the last `bytes` off a free extent, which keeps its age.
    pub(super) fn cut_tail(&mut self, place: Number, bytes: usize) -> Option<Mapping> {
        let whole_bytes = self.bytes(place);
        if bytes >= whole_bytes {
            return self.remove(place);
        }
        let next = self.next(Lane::Address, place);
        self.runs += usize::from(next != 0 && self.is_joined(place, next));
        let kind = self.kind(place);
        let head = head_of(kind);
        self.unlink(Lane::Length, head, place);
        let cell = &self.nodes.get(place).cell;
        let (rest, tail) = cell.take()?.split(whole_bytes - bytes);
        cell.put(rest);
        self.link(Lane::Length, head, place);
        self.count(kind, -bytes.cast_signed());
        Some(tail)
    }

    /// One mapping of two where they are one to the kernel; `side` stays where it is otherwise.
    fn joined(&mut self, mapping: Mapping, side: Number) -> Mapping {
        let cell = &self.nodes.get(side).cell;
        let (start, bytes) = (cell.address(), cell.bytes());
        let meets =
            start + bytes == mapping.address() || mapping.address() + mapping.bytes() == start;
        let is_one = (cell.mark(), cell.group()) == (mapping.mark(), mapping.group());
        if !meets || !is_one {
            return mapping;
        }
        let Some(side) = self.remove(side) else {
            return mapping;
        };
        match mapping.join(side) {
            Ok(whole) => whole,
            // It meets, and is of the same group.
            Err((mapping, side)) => {
                side.unmap();
                mapping
            }
        }
    }

    fn count(&mut self, kind: Kind, bytes: isize) {
        let sum = match kind {
            Kind::Used | Kind::Changed => {
                self.blocks = self.blocks.saturating_add_signed(bytes.signum());
                &mut self.used_bytes
            }
            Kind::Kept => &mut self.kept_bytes,
            Kind::Vacant => &mut self.vacant_bytes,
        };
        *sum = sum.saturating_add_signed(bytes);
    }

    fn is_block(&self, place: Number) -> bool {
        matches!(self.kind(place), Kind::Used | Kind::Changed)
    }

    /// The address behind an extent.
    pub(super) fn end(&self, place: Number) -> usize {
        let cell = &self.nodes.get(place).cell;
        cell.address() + cell.bytes()
    }

    pub(super) fn next(&self, lane: Lane, place: Number) -> Number {
        self.nodes.get(place).next(lane, 0)
    }

    pub(super) fn is_joined(&self, place: Number, next: Number) -> bool {
        let cell = &self.nodes.get(place).cell;
        self.begins_at(next, self.end(place), (cell.mark(), cell.group()))
    }

    fn ends_at(&self, place: Number, address: usize, group: (u8, u32)) -> bool {
        place != 0 && self.end(place) == address && self.group(place) == group
    }

    fn begins_at(&self, place: Number, address: usize, group: (u8, u32)) -> bool {
        place != 0 && self.nodes.get(place).cell.address() == address && self.group(place) == group
    }

    fn group(&self, place: Number) -> (u8, u32) {
        let cell = &self.nodes.get(place).cell;
        (cell.mark(), cell.group())
    }

    /// The extent that begins at `address`.
    fn at(&self, address: usize) -> Option<Number> {
        let place = self.neighbours(address).behind;
        (place != 0 && self.nodes.get(place).cell.address() == address).then_some(place)
    }

    /// The last extent that begins below `address`.
    fn last_below(&self, address: usize) -> Number {
        self.neighbours(address).before
    }

    /// The last extent below `address`, and the first one that is not.
    fn neighbours(&self, address: usize) -> Neighbours {
        if !self.nodes.is_in_use() {
            return Neighbours {
                before: 0,
                behind: 0,
            };
        }
        let [before, ..] = self.path(Lane::Address, HEAD, |node| node.cell.address() < address);
        Neighbours {
            before,
            behind: self.next(Lane::Address, before),
        }
    }
}

#[cfg(test)]
#[path = "extents_tests.rs"]
mod tests;
