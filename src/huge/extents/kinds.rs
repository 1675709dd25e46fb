//! Extents that become something else where they are: blocks what is kept, and back.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::super::node::Number;
use super::{Extents, Kind};
use crate::sys::Mapping;

impl Extents {
    /// Takes an extent out whose mapping comes back by [`Self::put_back`].
    pub(in crate::huge) fn borrow(&mut self, place: Number) -> Option<Mapping> {
        let mapping = self.remove(place)?;
        self.nodes.promise();
        Some(mapping)
    }

    /// Stores a block that was borrowed.
    pub(in crate::huge) fn put_back(
        &mut self,
        mapping: Mapping,
        kind: Kind,
    ) -> Result<(), Mapping> {
        self.nodes.redeem();
        self.insert(mapping, kind)
    }

    /// Makes a block one of what is kept; where nothing free beside it is one with it, it stays where it is in the list.
    pub(in crate::huge) fn keep(&mut self, place: Number) -> Result<(), Mapping> {
        let sides = self.sides(place);
        let (before, after) = (sides.before, sides.after);
        let is_kept = |side| side != 0 && self.kind(side) == Kind::Kept;
        if is_kept(before) || is_kept(after) {
            return match self.remove(place) {
                Some(mapping) => self.insert(mapping, Kind::Kept),
                None => Ok(()),
            };
        }
        self.change(place, Kind::Kept);
        self.offer(place);
        Ok(())
    }

    /// Records that the program may change properties of what lies between two addresses.
    pub(in crate::huge) fn note_changed(&mut self, start: usize, end: usize) {
        let sides = self.around(start);
        let (before, after) = (sides.before, sides.after);
        let is_met = before != 0 && self.end(before) > start;
        let mut place = if is_met { before } else { after };
        while place != 0 && self.nodes.get(place).cell.address() < end {
            if self.kind(place) == Kind::Used {
                self.change(place, Kind::Noted);
            }
            place = self.sides(place).after;
        }
    }

    /// Makes a kept extent a block, whole and where it is; its first byte.
    pub(in crate::huge) fn employ(&mut self, place: Number) -> Option<NonNull<u8>> {
        self.withdraw(place);
        self.change(place, Kind::Used);
        self.nodes.get(place).cell.start()
    }

    #[inline]
    fn change(&mut self, place: Number, kind: Kind) {
        let bytes = self.bytes(place).cast_signed();
        self.count(self.kind(place), -bytes);
        self.nodes.get(place).set_kind(kind as u8);
        self.count(kind, bytes);
    }

    /// Cuts the last `bytes` off a free extent, which keeps its age.
    pub(in crate::huge) fn cut_tail(&mut self, place: Number, bytes: usize) -> Option<Mapping> {
        let whole_bytes = self.bytes(place);
        if bytes >= whole_bytes {
            return self.remove(place);
        }
        let next = self.sides(place).after;
        self.runs += usize::from(next != 0 && self.is_joined(place, next));
        let kind = self.kind(place);
        let lengths = match kind {
            Kind::Vacant => &mut self.vacant,
            _ => &mut self.kept,
        };
        lengths.unlink(&self.nodes, place);
        let cell = &self.nodes.get(place).cell;
        let (rest, tail) = cell.take()?.split(whole_bytes - bytes);
        cell.put(rest);
        lengths.link(&self.nodes, place);
        self.count(kind, -bytes.cast_signed());
        Some(tail)
    }
}
