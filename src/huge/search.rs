//! Finding a free extent: by age, by length, by what it lies beside.
#![forbid(unsafe_code)]

use super::extents::{Extents, Kind};
use super::node::Number;
use crate::sys::page_size;

/// As many free extents are looked at for one that fits an alignment.
const LOOKS: usize = 16;

impl Extents {
    /// The kept extent that was put here first.
    pub(super) fn oldest(&self) -> Option<Number> {
        Some(self.ages.first()).filter(|place| *place != 0)
    }

    /// One of the longest vacant extents.
    pub(super) fn longest_vacant(&self) -> Option<Number> {
        self.vacant.longest()
    }

    /// One of the longest kept extents, if it has this mark.
    pub(super) fn longest_kept(&self, mark: u8) -> Option<Number> {
        self.kept
            .longest()
            .filter(|place| self.nodes.get(*place).cell.mark() == mark)
    }

    /// A free extent of a kind with this mark and `bytes` from its first multiple of `align` on, a short one as far as a few
    /// steps find it; and the offset of that.
    pub(super) fn fitting(
        &self,
        kind: Kind,
        bytes: usize,
        align: usize,
        mark: u8,
    ) -> Option<(Number, usize)> {
        let fits = |place: Number| {
            let cell = &self.nodes.get(place).cell;
            let lead = cell.address().wrapping_neg() & (align - 1);
            let is_long = lead
                .checked_add(bytes)
                .is_some_and(|end| end <= cell.bytes());
            (is_long && cell.mark() == mark).then_some((place, lead))
        };
        let lengths = match kind {
            Kind::Vacant => &self.vacant,
            _ => &self.kept,
        };
        let from = |bytes| {
            let mut looked_at = lengths.from(&self.nodes, bytes).take(LOOKS);
            looked_at.find_map(fits)
        };
        from(bytes).or_else(|| {
            let surely = bytes.checked_add(align).filter(|_| align > page_size())?;
            from(surely)
        })
    }

    /// The extent that begins where this one ends, of this kind and surely one mapping with it.
    pub(super) fn after(&self, place: Number, kind: Kind) -> Option<Number> {
        let next = self.sides(place).after;
        let is_next = next != 0 && self.is_joined(place, next) && self.kind(next) == kind;
        is_next.then_some(next)
    }
}
