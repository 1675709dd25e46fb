//! Empty slabs that wait for a grace period: nobody takes their objects, and nothing happens to their memory.
//!
//! # Invariant
//!
//! A slab that waits is on no list of its cache node, and its record has the number of the period in the word for pages that are
//! gone, of which such a slab has none.
#![forbid(unsafe_code)]

use super::cache_node::HELD;
use super::list::SlabList;
use super::named::EmptySlab;
use super::place::Place;

/// The slabs, the newest first. All zero is none.
#[derive(Debug, Default)]
pub(crate) struct Waiting(SlabList);

impl Waiting {
    /// Has a slab wait for the period with a number.
    pub(crate) fn push(&mut self, place: Place<'_>, empty: EmptySlab, period: u64) {
        place.tables.record(empty.slab).set_period(period);
        self.0.push(place.tables, empty.slab, HELD);
    }

    /// Takes a slab that waited for this period or an earlier one.
    pub(crate) fn take(&mut self, place: Place<'_>, period: u64) -> Option<EmptySlab> {
        let tables = place.tables;
        let mut all = core::iter::successors(self.0.first(), |slab| tables.record(*slab).next());
        let slab = all.find(|slab| tables.record(*slab).period() <= period)?;
        self.0.remove(tables, slab);
        let record = tables.record(slab);
        record.set_period(0);
        Some(EmptySlab {
            slab,
            used: record.used(),
        })
    }
}
