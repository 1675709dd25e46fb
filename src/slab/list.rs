//! A doubly linked list of slabs, linked through their records.
//!
//! # Invariant
//!
//! A slab is on at most one list, and its record carries that list's number.
#![forbid(unsafe_code)]

use super::table::SlabTables;
use crate::units::GranuleIndex;

/// The first slab of a list: granule + 1, or 0 for none, so that zeroed memory is an empty list.
#[derive(Debug, Default)]
pub(super) struct SlabList {
    pub(super) first: u32,
    pub(super) count: u32,
}

impl SlabList {
    /// The first slab.
    pub(super) fn first(&self) -> Option<GranuleIndex> {
        self.first.checked_sub(1).map(GranuleIndex)
    }

    /// Number of slabs.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Puts a slab in front.
    pub(super) fn push(&mut self, tables: &SlabTables, slab: GranuleIndex, number: u8) {
        let record = tables.record(slab);
        record.set_list(number);
        record.set_previous(None);
        record.set_next(self.first());
        if let Some(next) = self.first() {
            tables.record(next).set_previous(Some(slab));
        }
        self.first = slab.0 + 1;
        self.count += 1;
    }

    /// Takes a slab out.
    pub(super) fn remove(&mut self, tables: &SlabTables, slab: GranuleIndex) {
        let record = tables.record(slab);
        let (previous, next) = (record.previous(), record.next());
        match previous {
            Some(previous) => tables.record(previous).set_next(next),
            None => self.first = next.map_or(0, |next| next.0 + 1),
        }
        if let Some(next) = next {
            tables.record(next).set_previous(previous);
        }
        record.set_list(0);
        self.count -= 1;
    }
}
