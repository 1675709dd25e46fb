//! Empty slabs that wait for a grace period: nobody takes their objects, and nothing happens to their memory.
//!
//! # Invariant
//!
//! A slab that waits is on no list of its pool, and its record has the number of the period in the word for pages that are
//! gone, of which such a slab has none.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::list::SlabList;
use super::named::EmptySlab;
use super::pool::{HELD, Place};
use super::record::SlabRecord;

/// The slabs, the newest first. All zero is none.
#[derive(Debug, Default)]
pub(crate) struct Waiting(SlabList);

impl Waiting {
    /// Has a slab wait for the period with a number.
    pub(crate) fn push(&mut self, place: Place<'_>, empty: EmptySlab, period: u64) {
        set_period(place.tables.record(empty.slab), period);
        self.0.push(place.tables, empty.slab, HELD);
    }

    /// Takes a slab that waited for this period or an earlier one.
    pub(crate) fn take(&mut self, place: Place<'_>, period: u64) -> Option<EmptySlab> {
        let tables = place.tables;
        let mut all = core::iter::successors(self.0.first(), |slab| tables.record(*slab).next());
        let slab = all.find(|slab| period_of(tables.record(*slab)) <= period)?;
        self.0.remove(tables, slab);
        let record = tables.record(slab);
        set_period(record, 0);
        Some(EmptySlab {
            slab,
            used: record.used(),
        })
    }
}

// ORDERING: relaxed; the list's lock orders all accesses.

fn set_period(record: &SlabRecord, period: u64) {
    if let Some(word) = record.gone.first() {
        word.store(period, Relaxed);
    }
}

fn period_of(record: &SlabRecord) -> u64 {
    record.gone.first().map_or(0, |word| word.load(Relaxed))
}
