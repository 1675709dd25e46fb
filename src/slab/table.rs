//! Tables per arena: the class of every granule, the record of every slab, and which of them are due for a visit.
//!
//! # Invariant
//!
//! All granules of a slab carry its class; all others carry 0. A class is written before the first
//! object of the slab is handed out and taken back after the last has returned. A granule is due if its slab may have
//! pages to give back, or if its record was a slab's and is none any more; it may be due without.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::class::{ClassInfo, info, is_span};
use super::record::SlabRecord;
use crate::report::Context;
use crate::sync::{Lock, Once};
use crate::sys::{PLACEMENT_ROOM, Region, Table, page_size, placement};
use crate::units::{ClassId, GRANULE_SIZE, GranuleIndex};

/// Granules that the tables grow by at least: 4 MiB of arena.
const STEP_GRANULES: usize = 64;

/// Granules whose records are near: 8 MiB of arena, all that a small program has.
pub(super) const NEAR: usize = 128;

/// Granules that share a word.
const DUE_WORD: usize = 64;

/// The class map and the slab table of one arena.
#[derive(Debug)]
pub(crate) struct SlabTables {
    pub(super) classes: Table<AtomicU8>,
    /// The first granules' records lie beside the other tables: each part of its own is another page of the kernel's page
    /// table, and two mappings, which a fork copies.
    pub(super) near: Table<SlabRecord>,
    pub(super) records: Table<SlabRecord>,
    /// One bit for each granule.
    due: Table<AtomicU64>,
    pub(super) growth: Lock<()>,
    /// The owner of each granule, once there is a named cache; see `named.rs`.
    pub(super) owners: Once<Table<AtomicU32>>,
    /// The handle of each granule's owner, for fast paths, and where handles are.
    pub(super) handles: Once<Table<AtomicU64>>,
    pub(super) first_handle: AtomicUsize,
    pub(super) granules: usize,
    min_empty: u32,
}

// ORDERING: the class map is relaxed. Who frees an object has been handed its pointer, and with it
// the class that was written before the object went out.

/// Empty slabs that a cache node keeps for itself where time counts more than memory.
const MIN_EMPTY: u32 = 1;

impl SlabTables {
    /// Bytes to reserve for the records of an arena of `bytes`.
    pub(crate) const fn record_bytes_for(bytes: usize) -> usize {
        Table::<SlabRecord>::bytes_for((bytes / GRANULE_SIZE).saturating_sub(NEAR))
    }

    /// Bytes for what is known of each granule, and for the near records, which are committed before the tables are made.
    pub(crate) const fn map_bytes_for(bytes: usize) -> usize {
        let granules = bytes / GRANULE_SIZE;
        let due = Table::<AtomicU64>::bytes_for(granules.div_ceil(DUE_WORD));
        let near = Table::<SlabRecord>::bytes_for(NEAR);
        Table::<AtomicU8>::bytes_for(granules) + due + near + 2 * PLACEMENT_ROOM
    }

    /// The tables of an arena of `bytes`; there is no slab yet, and where memory counts more than time no empty one stays.
    pub(crate) fn new(map: Region, records: Region, bytes: usize, is_tiny: bool) -> Self {
        let granules = bytes / GRANULE_SIZE;
        let (near, map) = map.split(Table::<SlabRecord>::bytes_for(NEAR) + PLACEMENT_ROOM);
        let (_, near) = near.split(placement(1, 64) * 64);
        let (_, map) = map.split(placement(2, 64) * 64);
        let (classes, due) = map.split(Table::<AtomicU8>::bytes_for(granules));
        Self {
            classes: Table::new(classes),
            due: Table::new(due),
            near: Table::new(near),
            records: Table::new(records),
            growth: Lock::new(()),
            owners: Once::new(),
            handles: Once::new(),
            first_handle: AtomicUsize::new(0),
            granules,
            min_empty: if is_tiny { 0 } else { MIN_EMPTY },
        }
    }

    /// Empty slabs that each cache node keeps for itself, the kernel's `min_partial`.
    pub(super) fn min_empty(&self) -> u32 {
        self.min_empty
    }

    /// The class of the slab that `granule` belongs to, if any.
    pub(crate) fn class_at(&self, granule: GranuleIndex) -> ClassId {
        let class = self.classes.find(granule.index());
        class.map_or(ClassId::NONE, |class| ClassId(class.load(Relaxed)))
    }

    /// The first due granule from `granule` on, but before `end`.
    pub(crate) fn next_due(&self, granule: usize, end: usize) -> Option<GranuleIndex> {
        let end = end.min(self.due.ready() * DUE_WORD);
        let mut first = granule;
        while first < end {
            let word = self.due.get(first / DUE_WORD).load(Relaxed);
            let bits = word >> (first % DUE_WORD);
            if bits != 0 {
                let found = first + bits.trailing_zeros() as usize;
                return (found < end).then_some(GranuleIndex(found as u32));
            }
            first = (first / DUE_WORD + 1) * DUE_WORD;
        }
        None
    }

    /// Has the slab or record at `granule` visited.
    pub(super) fn set_due(&self, granule: GranuleIndex) {
        let (word, bit) = self.due_bit(granule);
        // ORDERING: relaxed; cache nodes share words, and what a visit finds is ordered by the cache node's lock.
        word.fetch_or(bit, Relaxed);
    }

    /// Records that the slab or record at `granule` is visited.
    pub(crate) fn clear_due(&self, granule: GranuleIndex) {
        let (word, bit) = self.due_bit(granule);
        // ORDERING: relaxed, as above.
        word.fetch_and(!bit, Relaxed);
    }

    fn due_bit(&self, granule: GranuleIndex) -> (&AtomicU64, u64) {
        let word = self.due.get(granule.index() / DUE_WORD);
        (word, 1 << (granule.index() % DUE_WORD))
    }

    /// The first granule of the slab of a class that `granule` belongs to.
    #[inline]
    pub(crate) fn slab_of(granule: GranuleIndex, info: &ClassInfo) -> GranuleIndex {
        GranuleIndex(granule.0 & !info.granules.wrapping_sub(1))
    }

    /// The record of the slab that begins at `slab`.
    #[inline]
    pub(crate) fn record(&self, slab: GranuleIndex) -> &SlabRecord {
        match slab.index().checked_sub(NEAR) {
            None => self.near.get(slab.index()),
            Some(far) => self.records.get(far),
        }
    }

    /// The record of the slab that begins at `slab`, if that is one of class `id`.
    #[inline]
    pub(super) fn record_of(&self, slab: GranuleIndex, id: ClassId) -> Option<&SlabRecord> {
        let class = self.classes.find(slab.index())?;
        (class.load(Relaxed) == id.0).then(|| self.record(slab))
    }

    /// The slab of class `id` that begins at `slab`, `base` being the arena's address, for a report.
    #[cold]
    pub(crate) fn context(&self, base: usize, slab: GranuleIndex, id: ClassId) -> Context {
        let info = info(id);
        if is_span(id) {
            let bytes = info.size as usize;
            return Context::Block { bytes };
        }
        Context::Slab {
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
        // Held until the record is in use: see `forget_record`.
        let _growing = self.growth.lock();
        if !self.grow(end) {
            return false;
        }
        self.record(slab).reset(info(id));
        self.mark(slab, id, id);
        true
    }

    /// Enters a span of class `id` that begins with `granule`; `false` where there is no room for the entry.
    pub(crate) fn enter_span(&self, granule: GranuleIndex, id: ClassId) -> bool {
        if granule.index() >= self.classes.ready() {
            let _growing = self.growth.lock();
            if !self.classes.grow(granule.index() + 1) {
                return false;
            }
        }
        self.classes.get(granule.index()).store(id.0, Relaxed);
        true
    }

    /// Removes the span of class `id` that begins with `granule`; `false` if there is none, or another thread did.
    pub(crate) fn leave_span(&self, granule: GranuleIndex, id: ClassId) -> bool {
        self.change_span(granule, id, ClassId::NONE)
    }

    /// Makes the span of class `old` that begins with `granule` one of class `new`; `false` if there is none.
    pub(crate) fn change_span(&self, granule: GranuleIndex, old: ClassId, new: ClassId) -> bool {
        let entry = self.classes.get(granule.index());
        entry
            .compare_exchange(old.0, new.0, Relaxed, Relaxed)
            .is_ok()
    }

    /// Gives the memory of the record of `granule` back, which was a slab's, with those that share its page, if none of
    /// them is in use; returns how many bytes.
    pub(crate) fn forget_record(&self, granule: GranuleIndex) -> usize {
        let count = Table::<SlabRecord>::entries_in_page();
        let (records, before) = match granule.index() < NEAR {
            true => (&self.near, 0),
            false => (&self.records, NEAR),
        };
        let first = (granule.index() - before) / count * count;
        if first + count > records.ready() {
            return 0;
        }
        let _growing = self.growth.lock();
        let mut all = (first..first + count).map(|index| GranuleIndex((before + index) as u32));
        let is_unused = all.all(|granule| {
            let id = self.class_at(granule);
            id == ClassId::NONE || is_span(id)
        });
        if is_unused && records.forget_page(first) {
            page_size()
        } else {
            0
        }
    }

    /// Removes a slab of class `id` whose objects have all come back.
    pub(super) fn remove(&self, slab: GranuleIndex, id: ClassId) {
        self.mark(slab, id, ClassId::NONE);
        self.record(slab).clear(info(id));
        self.set_due(slab);
    }

    /// Gives the address space for the arena's bytes from `bytes` on back.
    pub(crate) fn shrink(&self, bytes: usize) {
        let _growing = self.growth.lock();
        self.records
            .shrink(bytes.div_ceil(GRANULE_SIZE).saturating_sub(NEAR));
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
        let records = self.near.committed_bytes() + self.records.committed_bytes();
        self.classes.committed_bytes() + self.due.committed_bytes() + records
    }

    /// The lock under which the tables grow, for fork.
    pub(crate) fn growth(&self) -> &Lock<()> {
        &self.growth
    }

    pub(super) fn mark(&self, slab: GranuleIndex, id: ClassId, mark: ClassId) {
        for granule in slab.index()..slab.index() + info(id).granules as usize {
            self.classes.get(granule).store(mark.0, Relaxed);
        }
    }

    /// Grows the tables; the caller holds the lock for that.
    pub(super) fn grow(&self, end: usize) -> bool {
        let near = self.near.ready().min(NEAR);
        let ready = match near < NEAR {
            true => near,
            false => NEAR + self.records.ready(),
        };
        if end <= ready.min(self.classes.ready()) {
            return true;
        }
        let ahead = (end + STEP_GRANULES.max(end / 8)).min(self.granules);
        let grow = |end: usize| {
            let words = end.div_ceil(DUE_WORD);
            self.due.grow(words)
                && self.classes.grow(end)
                && self.near.grow(end.min(NEAR))
                && self.records.grow(end.saturating_sub(NEAR))
        };
        grow(ahead) || grow(end)
    }
}
