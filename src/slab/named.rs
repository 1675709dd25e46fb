//! Slabs of named caches and pools: whose they are, and which of their objects are new.
//!
//! # Invariant
//!
//! All granules of such a slab have [`NAMED`] in the class map, and their owner and its handle in tables of their own, which
//! are reserved when the first of them is made. Both are written before the first object of the slab is handed out.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::cache_node::{CacheNode, EMPTY_LIST};
use super::class::{ALL_CLASSES, info};
use super::list::SlabList;
use super::owner::{Handles, Owner};
use super::place::Place;
use super::table::SlabTables;
use crate::decay::Elapsed;
use crate::sys::{Region, Table, ZeroInit};
use crate::units::{ClassId, GRANULE_SIZE, GranuleIndex};

/// What the class map has for slabs of named caches, in place of a class: no bin takes their objects.
pub(crate) const NAMED: ClassId = ClassId(ALL_CLASSES as u8 + 1);

/// Granules that the table of owners grows by.
const STEP: usize = 1024;

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
            .and_then(|table| table.find(granule.index()));
        owner.map_or(Owner::MALLOC, |owner| Owner::from_word(owner.load(Relaxed)))
    }

    /// Where the handles of caches are.
    pub(crate) fn set_handles(&self, handles: Handles) {
        self.first_handle.store(handles.first(), Relaxed);
    }

    /// The handle of the first granule's owner, for fast paths, and how many bytes of the arena such words cover.
    pub(crate) fn handle_map(&self) -> (*const AtomicU64, usize) {
        match self.handles.get() {
            Some(table) => (table.as_ptr(), table.ready() * GRANULE_SIZE),
            None => (core::ptr::null(), 0),
        }
    }

    /// The owner's word of the first granule, and how many bytes of the arena such words cover.
    pub(crate) fn owner_map(&self) -> (*const AtomicU32, usize) {
        match self.owners.get() {
            Some(table) => (table.as_ptr(), table.ready() * GRANULE_SIZE),
            None => (core::ptr::null(), 0),
        }
    }

    /// The first slab of `owner` from `granule` on.
    pub(crate) fn next_slab_of(&self, owner: Owner, granule: usize) -> Option<GranuleIndex> {
        let table = self.owners.get()?;
        let has = |index: &usize| table.get(*index).load(Relaxed) == owner.word();
        let first = (granule..table.ready()).find(has)?;
        Some(GranuleIndex(first as u32))
    }

    /// Granules of the slabs of pools.
    pub(crate) fn pool_granules(&self) -> usize {
        let Some(table) = self.owners.get() else {
            return 0;
        };
        let is_pool = |index: &usize| {
            let owner = Owner::from_word(table.get(*index).load(Relaxed));
            owner.pool_place().is_some()
        };
        (0..table.ready()).filter(is_pool).count()
    }

    /// Whether all granules of a slab of class `id` are known as this owner's.
    pub(super) fn is_named(&self, slab: GranuleIndex, id: ClassId, owner: Owner) -> bool {
        let handle = self.handle_of(owner);
        let end = slab.index() + info(id).granules as usize;
        (slab.index()..end).all(|granule| {
            let known = self.handles.get().and_then(|table| table.find(granule));
            let granule = GranuleIndex(granule as u32);
            self.class_at(granule) == NAMED
                && self.owner_at(granule) == owner
                && known.is_some_and(|it| it.load(Relaxed) == handle)
        })
    }

    /// The handle of an owner; 0 for the library itself and for pools, of which no thread's bin has an object.
    fn handle_of(&self, owner: Owner) -> u64 {
        let all = Handles::new(self.first_handle.load(Relaxed));
        let is_cache = |number: &u32| (1..Owner::MOST).contains(number);
        let known = owner.number().filter(is_cache);
        known.map_or(0, |number| all.of(number) as u64)
    }

    pub(super) fn enter_named(&self, slab: GranuleIndex, id: ClassId, owner: Owner) -> bool {
        let granules = info(id).granules as usize;
        let end = slab.index() + granules;
        let _growing = self.growth.lock();
        let Some(owners) = self.owners.get_or_try_make(|| reserve(self.granules)) else {
            return false;
        };
        let Some(handles) = self.handles.get_or_try_make(|| reserve(self.granules)) else {
            return false;
        };
        let known = end.next_multiple_of(STEP).min(self.granules);
        if !self.grow(end) || !owners.grow(known) || !handles.grow(known) {
            return false;
        }
        let record = self.record(slab);
        record.reset(info(id));
        if owner.hands_out_in_order() {
            record.skip_none();
        }
        let handle = self.handle_of(owner);
        for granule in slab.index()..end {
            owners.get(granule).store(owner.word(), Relaxed);
            handles.get(granule).store(handle, Relaxed);
        }
        self.mark(slab, id, NAMED);
        true
    }

    pub(super) fn remove_named(&self, slab: GranuleIndex, id: ClassId) {
        self.remove(slab, id);
        let end = slab.index() + info(id).granules as usize;
        if let Some(handles) = self.handles.get() {
            (slab.index()..end).for_each(|granule| handles.get(granule).store(0, Relaxed));
        }
        if let Some(owners) = self.owners.get() {
            (slab.index()..end).for_each(|granule| owners.get(granule).store(0, Relaxed));
        }
    }
}

fn reserve<T: ZeroInit>(granules: usize) -> Option<Table<T>> {
    let bytes = Table::<T>::bytes_for(granules);
    Some(Table::new(Region::reserve_fenced(bytes, 0, 1 << 16)?))
}

impl CacheNode {
    /// Takes an empty slab out of the cache node if there are more than `keep`, for [`Self::give_empty`].
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
    pub(crate) fn excess(&mut self, elapsed: Elapsed) -> (u32, u32) {
        let count = self.lists.get(EMPTY_LIST).map_or(0, SlabList::count);
        let excess = self.spare.excess(count as usize, elapsed, 1);
        (excess as u32, count)
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
