//! Slabs of named caches: whose they are, and which of their objects are new.
//!
//! # Invariant
//!
//! All granules of such a slab have [`NAMED`] in the class map and their owner in a table of its own, which is reserved when
//! the first of them is made. An owner is written before the first object of the slab is handed out.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::class::{ALL_CLASSES, ClassInfo, info};
use super::list::SlabList;
use super::pool::{EMPTY_LIST, Place, Pool};
use super::record::SlabRecord;
use super::table::SlabTables;
use crate::decay::Elapsed;
use crate::sys::{Region, Table};
use crate::units::{ClassId, GRANULE_SIZE, GranuleIndex};

/// What the class map has for slabs of named caches, in place of a class: no bin takes their objects.
pub(crate) const NAMED: ClassId = ClassId(ALL_CLASSES as u8 + 1);

/// Granules that the table of owners grows by.
const STEP: usize = 1024;

/// Whose a slab is: malloc's, or that of the named cache with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(u32);

const CLASS: u32 = 0xff;
/// Objects that were never out are marked in the sheaf: bit 0 of their address is set.
const MARKS_NEW: u32 = 1 << 8;
/// Empty slabs stay in the pool until they are taken out of it.
const KEEPS_EMPTY: u32 = 1 << 9;
pub(super) const NUMBER_SHIFT: u32 = 10;

impl Owner {
    /// Nobody but malloc.
    pub(crate) const MALLOC: Self = Self(0);
    /// Cache numbers are below this.
    pub(crate) const MOST: u32 = 1 << 16;

    /// The cache with this number, whose objects are of class `id`; whether it must know which of them are new, and when a
    /// slab goes.
    pub(crate) fn cache(number: u32, id: ClassId, marks_new: bool, keeps_empty: bool) -> Self {
        debug_assert!(number < Self::MOST);
        let flags = if marks_new { MARKS_NEW } else { 0 };
        let flags = flags | if keeps_empty { KEEPS_EMPTY } else { 0 };
        Self((number + 1) << NUMBER_SHIFT | flags | u32::from(id.0))
    }

    /// The owner as a word, which is not 0 for a cache.
    #[inline(always)]
    pub(crate) const fn word(self) -> u32 {
        self.0
    }

    /// The owner that a word is of.
    pub(crate) const fn from_word(word: u32) -> Self {
        Self(word)
    }

    /// The cache's number.
    pub(crate) fn number(self) -> Option<u32> {
        (self.0 >> NUMBER_SHIFT).checked_sub(1)
    }

    /// The class of the objects.
    pub(crate) fn class(self) -> ClassId {
        ClassId((self.0 & CLASS) as u8)
    }

    /// The first object of a slab that is to be marked when it is taken.
    #[inline]
    pub(super) fn first_marked(self, record: &SlabRecord, info: &ClassInfo) -> u32 {
        match self.0 & MARKS_NEW {
            0 => u32::MAX,
            _ => record.known(info).end,
        }
    }
}

/// A slab on no list whose objects are all in it, and which is to go.
#[derive(Debug)]
#[must_use = "a dropped slab is a leak"]
pub(crate) struct EmptySlab {
    pub(super) slab: GranuleIndex,
    /// Objects that were ever out: the first ones.
    pub(crate) used: u32,
}

impl EmptySlab {
    /// Where the slab begins, from the arena's base.
    pub(crate) fn offset(&self) -> usize {
        self.slab.offset()
    }
}

// ORDERING: relaxed, as the class map: who frees an object has been handed its pointer, and with it the owner.

impl SlabTables {
    /// The owner of the slab that `granule` belongs to.
    pub(crate) fn owner_at(&self, granule: GranuleIndex) -> Owner {
        let owner = self
            .owners
            .get()
            .and_then(|table| table.look(granule.index()));
        owner.map_or(Owner::MALLOC, |owner| Owner(owner.load(Relaxed)))
    }

    /// The first granule's owner, for fast paths, and how many bytes of the arena such words cover.
    pub(crate) fn owner_map(&self) -> (*const AtomicU32, usize) {
        match self.owners.get() {
            Some(table) => (table.as_ptr(), table.ready() * GRANULE_SIZE),
            None => (core::ptr::null(), 0),
        }
    }

    /// The first slab of `owner` from `granule` on.
    pub(crate) fn next_slab_of(&self, owner: Owner, granule: usize) -> Option<GranuleIndex> {
        let table = self.owners.get()?;
        let has = |index: &usize| table.get(*index).load(Relaxed) == owner.0;
        let first = (granule..table.ready()).find(has)?;
        Some(GranuleIndex(first as u32))
    }

    fn enter_named(&self, slab: GranuleIndex, id: ClassId, owner: Owner) -> bool {
        let granules = info(id).granules as usize;
        let end = slab.index() + granules;
        let _growing = self.growth.lock();
        let Some(owners) = self.owners.get_or_try_make(|| reserve(self.granules)) else {
            return false;
        };
        if !self.grow(end) || !owners.grow(end.next_multiple_of(STEP).min(self.granules)) {
            return false;
        }
        let record = self.record(slab);
        record.reset(info(id));
        if owner.0 & (MARKS_NEW | KEEPS_EMPTY) != 0 {
            record.skip_none();
        }
        (slab.index()..end).for_each(|granule| owners.get(granule).store(owner.0, Relaxed));
        self.mark(slab, id, NAMED);
        true
    }

    fn remove_named(&self, slab: GranuleIndex, id: ClassId) {
        self.remove(slab, id);
        if let Some(owners) = self.owners.get() {
            let end = slab.index() + info(id).granules as usize;
            (slab.index()..end).for_each(|granule| owners.get(granule).store(0, Relaxed));
        }
    }
}

fn reserve(granules: usize) -> Option<Table<AtomicU32>> {
    let bytes = Table::<AtomicU32>::bytes_for(granules);
    Some(Table::new(Region::reserve_fenced(bytes, 0, 1 << 16)?))
}

impl<'node> Place<'node> {
    /// The record of the slab that begins at `slab`, if that is one of class `id` of this owner and in this place's pool.
    #[inline]
    pub(super) fn record_of(self, slab: GranuleIndex, id: ClassId) -> Option<&'node SlabRecord> {
        if self.owner == Owner::MALLOC {
            let record = self.tables.record_of(slab, id)?;
            return (record.cluster() == Some(self.cluster)).then_some(record);
        }
        let is_owner = self.tables.owner_at(slab) == self.owner;
        is_owner.then(|| self.tables.record(slab))
    }

    /// Enters a new slab of class `id`; `false` where there is no memory for its record.
    pub(super) fn enter(self, slab: GranuleIndex, id: ClassId) -> bool {
        match self.owner {
            Owner::MALLOC => self.tables.enter(slab, id),
            owner => self.tables.enter_named(slab, id, owner),
        }
    }

    /// Removes a slab of class `id` whose objects have all come back.
    pub(super) fn remove(self, slab: GranuleIndex, id: ClassId) {
        match self.owner {
            Owner::MALLOC => self.tables.remove(slab, id),
            _ => self.tables.remove_named(slab, id),
        }
    }

    /// How many empty slabs the pool keeps when objects come back.
    #[inline]
    pub(super) fn min_empty(self) -> u32 {
        match self.owner.0 & KEEPS_EMPTY {
            0 => self.tables.min_empty(),
            _ => u32::MAX,
        }
    }

    /// Whether the object at `address`, which begins in a slab of class `id`, is out; the caller holds the pool's lock.
    pub(crate) fn is_out(self, address: usize, id: ClassId) -> bool {
        let offset = address.wrapping_sub(self.arena.base());
        let slab = SlabTables::slab_of(GranuleIndex::containing(offset), info(id));
        let (object, _) = info(id).object_at(offset - slab.offset());
        let record = self.tables.record(slab);
        record.known(info(id)).contains(&object) && !record.has(object)
    }

    /// The objects of a slab that are out, by address, the lowest first.
    pub(crate) fn objects_out(
        self,
        slab: GranuleIndex,
        id: ClassId,
    ) -> impl Iterator<Item = usize> + use<'node> {
        let (record, info) = (self.tables.record(slab), info(id));
        let start = self.arena.base() + slab.offset();
        let out = record.known(info).filter(|object| !record.has(*object));
        out.map(move |object| start + (object * info.size) as usize)
    }
}

impl SlabRecord {
    /// Has a new slab's first object handed out first.
    fn skip_none(&self) {
        self.carved.store(0, Relaxed);
        self.fresh.store(0, Relaxed);
    }

    /// How many objects were ever out, where none was skipped.
    pub(super) fn used(&self) -> u32 {
        u32::from(self.carved.load(Relaxed))
    }
}

impl Pool {
    /// Takes an empty slab out of the pool if there are more than `keep`, for [`Self::give_empty`].
    pub(crate) fn take_empty(&mut self, place: Place<'_>, keep: u32) -> Option<EmptySlab> {
        let list = self.lists.get_mut(EMPTY_LIST)?;
        if list.count() <= keep {
            return None;
        }
        let slab = list.first()?;
        list.remove(place.tables, slab);
        let used = place.tables.record(slab).used();
        Some(EmptySlab { slab, used })
    }

    /// Gives back what [`Self::take_empty`] took.
    pub(crate) fn give_empty(&mut self, place: Place<'_>, id: ClassId, empty: EmptySlab) {
        self.release(place, id, empty.slab);
    }

    /// How many empty slabs were not needed for some time, and how many there are.
    pub(crate) fn surplus(&mut self, elapsed: Elapsed) -> (u32, u32) {
        let count = self.lists.get(EMPTY_LIST).map_or(0, SlabList::count);
        let surplus = self.spare.surplus(count as usize, elapsed, 1);
        (surplus as u32, count)
    }

    /// Whether there is no slab.
    pub(crate) fn has_no_slab(&self) -> bool {
        self.slabs == 0
    }

    /// Its slabs.
    pub(crate) fn slabs(&self) -> usize {
        self.slabs as usize
    }

    /// Objects that are out of the slabs.
    pub(crate) fn out(&self) -> u64 {
        self.out
    }
}
