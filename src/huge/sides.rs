//! What lies beside an extent, and whether both are surely one mapping to the kernel.
#![forbid(unsafe_code)]

use super::extents::{Extents, Kind};
use super::kernel;
use super::node::Number;
use crate::sys::Mapping;

/// What is before and after an extent, or an address, 0 for nothing.
pub(super) struct Sides {
    pub(super) before: Number,
    pub(super) after: Number,
}

impl Extents {
    /// The last extent below `address`, and the first one that is not.
    pub(super) fn around(&self, address: usize) -> Sides {
        if !self.nodes.is_in_use() {
            return Sides {
                before: 0,
                after: 0,
            };
        }
        let [before, ..] = self.path(|node| node.cell.address() < address);
        Sides {
            before,
            after: self.nodes.get(before).after(0),
        }
    }

    /// The extents beside another.
    pub(super) fn sides(&self, place: Number) -> Sides {
        let node = self.nodes.get(place);
        Sides {
            before: node.before(),
            after: node.after(0),
        }
    }

    /// On how many sides a mapping that is not stored here is surely one with what is.
    pub(super) fn joined_sides(&self, mapping: &Mapping) -> usize {
        let Sides { before, after } = self.around(mapping.address());
        let group = (mapping.mark(), mapping.group());
        let end = mapping.address() + mapping.bytes();
        usize::from(self.ends_at(before, mapping.address(), group))
            + usize::from(self.begins_at(after, end, group))
    }

    /// On how many sides an extent is surely one mapping with what is there.
    pub(super) fn joined_sides_of(&self, place: Number) -> usize {
        let Sides { before, after } = self.sides(place);
        usize::from(before != 0 && self.is_joined(before, place))
            + usize::from(after != 0 && self.is_joined(place, after))
    }

    /// Takes the vacant extents of at most `most` bytes next to a mapping that is not stored here out, as one with it.
    pub(super) fn with_vacant_sides(&mut self, mut mapping: Mapping, most: usize) -> Mapping {
        let sides = self.around(mapping.address());
        for side in [sides.before, sides.after] {
            if side != 0 && self.kind(side) == Kind::Vacant && self.bytes(side) <= most {
                mapping = self.joined(mapping, side);
            }
        }
        mapping
    }

    /// One mapping of two where they are one to the kernel; `side` stays where it is otherwise.
    pub(super) fn joined(&mut self, mapping: Mapping, side: Number) -> Mapping {
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
                kernel::unmap(side);
                mapping
            }
        }
    }

    /// Whether two extents, one after the other, are surely one mapping.
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
}
