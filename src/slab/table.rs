//! Two tables per arena: the class of every granule, and the record of every slab.
//!
//! # Invariant
//!
//! All granules of a slab carry its class; all others carry 0. A class is written before the first
//! object of the slab is handed out and taken back after the last has returned.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use super::class::info;
use super::record::SlabRecord;
use crate::report::Scene;
use crate::sync::Lock;
use crate::sys::{Region, Table, page_size};
use crate::units::{ClassId, GRANULE_SIZE, GranuleIndex};

/// Granules that the tables grow by at least: 4 MiB of arena.
const STEP_GRANULES: usize = 64;

/// The class map and the slab table of one arena.
#[derive(Debug)]
pub(crate) struct SlabTables {
    classes: Table<AtomicU8>,
    records: Table<SlabRecord>,
    growth: Lock<()>,
    granules: usize,
}

// ORDERING: the class map is relaxed. Who frees an object has been handed its pointer, and with it
// the class that was written before the object went out.

impl SlabTables {
    /// Bytes to reserve for an arena of `bytes`.
    pub(crate) const fn bytes_for(bytes: usize) -> usize {
        let granules = bytes / GRANULE_SIZE;
        Table::<AtomicU8>::bytes_for(granules) + Table::<SlabRecord>::bytes_for(granules)
    }

    /// The tables of an arena of `bytes`; there is no slab yet.
    pub(crate) fn new(region: Region, bytes: usize) -> Self {
        let granules = bytes / GRANULE_SIZE;
        let (classes, records) = region.split(Table::<AtomicU8>::bytes_for(granules));
        Self {
            classes: Table::new(classes),
            records: Table::new(records),
            growth: Lock::new(()),
            granules,
        }
    }

    /// The class of the slab that `granule` belongs to, if any.
    pub(crate) fn class_at(&self, granule: GranuleIndex) -> ClassId {
        if granule.index() >= self.classes.ready() {
            return ClassId::NONE;
        }
        ClassId(self.classes.get(granule.index()).load(Relaxed))
    }

    /// The first granule at or behind `granule`, but before `end`, that is part of a slab.
    pub(crate) fn next_in_slab(&self, granule: usize, end: usize) -> Option<GranuleIndex> {
        let end = end.min(self.classes.ready());
        (granule..end)
            .map(|index| GranuleIndex(index as u32))
            .find(|granule| self.class_at(*granule) != ClassId::NONE)
    }

    /// The first granule of the slab of class `id` that `granule` belongs to.
    pub(crate) fn slab_of(granule: GranuleIndex, id: ClassId) -> GranuleIndex {
        GranuleIndex(granule.0 & !info(id).granules.wrapping_sub(1))
    }

    /// The record of the slab that begins at `slab`.
    #[inline]
    pub(crate) fn record(&self, slab: GranuleIndex) -> &SlabRecord {
        self.records.get(slab.index())
    }

    /// The slab of class `id` that begins at `slab`, `base` being the arena's address, for a report.
    #[cold]
    pub(crate) fn scene(&self, base: usize, slab: GranuleIndex, id: ClassId) -> Scene {
        let info = info(id);
        Scene::Slab {
            size: info.size,
            start: base + slab.offset(),
            objects: info.objects,
            out: info
                .objects
                .saturating_sub(self.record(slab).available(info)),
        }
    }

    /// Brings what `give` of an object touches near.
    pub(super) fn prefetch(&self, slab: GranuleIndex, object: u32) {
        self.record(slab).prefetch(object);
    }

    /// Enters a new slab of class `id`; `false` where there is no memory for its record.
    pub(super) fn enter(&self, slab: GranuleIndex, id: ClassId) -> bool {
        let end = slab.index() + info(id).granules as usize;
        // Held until the record is in use: see `forget_records`.
        let _growing = self.growth.lock();
        if !self.grow(end) {
            return false;
        }
        self.record(slab).reset();
        self.mark(slab, id, id);
        true
    }

    /// Gives the memory of records back, from `start` to `end`, that were used and are not any more; how
    /// many bytes.
    pub(crate) fn forget_records(&self, start: usize, end: usize) -> usize {
        let count = Table::<SlabRecord>::entries_in_page();
        let end = end.min(self.records.ready());
        let mut pages = 0;
        for first in (start.next_multiple_of(count)..end).step_by(count) {
            let all = || (first..first + count).map(|index| GranuleIndex(index as u32));
            if first + count > end || !all().any(|slab| self.record(slab).was_used()) {
                continue;
            }
            let _growing = self.growth.lock();
            if all().all(|granule| self.class_at(granule) == ClassId::NONE) {
                if !self.records.forget_page(first) {
                    break;
                }
                pages += 1;
            }
        }
        pages * page_size()
    }

    /// Removes a slab of class `id` whose objects have all come back.
    pub(super) fn remove(&self, slab: GranuleIndex, id: ClassId) {
        self.mark(slab, id, ClassId::NONE);
        self.record(slab).clear();
    }

    /// Gives the address space for the arena's bytes from `bytes` on back.
    pub(crate) fn cut(&self, bytes: usize) {
        let _growing = self.growth.lock();
        self.records.cut(bytes.div_ceil(GRANULE_SIZE));
    }

    /// The class map's first byte, for the fast path of `free`.
    pub(crate) fn class_map(&self) -> *const AtomicU8 {
        self.classes.as_ptr()
    }

    /// Bytes of the arena that the class map covers.
    pub(crate) fn covered_bytes(&self) -> usize {
        self.classes.ready().min(self.granules) * GRANULE_SIZE
    }

    /// Bytes of memory in use.
    pub(crate) fn committed_bytes(&self) -> usize {
        self.classes.committed_bytes() + self.records.committed_bytes()
    }

    /// The lock under which the tables grow, for fork.
    pub(crate) fn growth(&self) -> &Lock<()> {
        &self.growth
    }

    fn mark(&self, slab: GranuleIndex, id: ClassId, mark: ClassId) {
        for granule in slab.index()..slab.index() + info(id).granules as usize {
            self.classes.get(granule).store(mark.0, Relaxed);
        }
    }

    /// Grows the tables; the caller holds the lock for that.
    fn grow(&self, end: usize) -> bool {
        let ready = self.records.ready().min(self.classes.ready());
        if end <= ready {
            return true;
        }
        let ahead = (end + STEP_GRANULES.max(end / 8)).min(self.granules);
        let grow = |end| self.classes.grow(end) && self.records.grow(end);
        grow(ahead) || grow(end)
    }
}
