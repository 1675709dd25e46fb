//! Where a cache node's slabs lie and whose they are: what every call of a cache node is told.
#![forbid(unsafe_code)]

use super::class::info;
use super::owner::Owner;
use super::record::SlabRecord;
use super::table::SlabTables;
use crate::arena::{Arena, Span};
use crate::sys::usdt;
use crate::units::{ClassId, ClusterId, GranuleIndex};

/// Where a cache node's slabs lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'node> {
    /// Pages come from here.
    pub(crate) arena: &'node Arena,
    /// Records are here.
    pub(crate) tables: &'node SlabTables,
    /// The cache node is this cluster's.
    pub(crate) cluster: ClusterId,
    /// Whose slabs they are.
    pub(crate) owner: Owner,
}

impl<'node> Place<'node> {
    /// The record of the slab that begins at `slab`, if that is one of class `id` of this owner and in this place's cache node.
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

    /// Whether the tables have a slab as one of class `id` of this owner.
    pub(super) fn is_entered(self, slab: GranuleIndex, id: ClassId) -> bool {
        match self.owner {
            Owner::MALLOC => self.tables.class_at(slab) == id,
            owner => self.tables.is_named(slab, id, owner),
        }
    }

    /// Removes a slab of class `id` whose objects have all come back.
    pub(super) fn remove(self, slab: GranuleIndex, id: ClassId) {
        match self.owner {
            Owner::MALLOC => self.tables.remove(slab, id),
            _ => self.tables.remove_named(slab, id),
        }
    }

    /// Gives the memory of such a slab back, which is on no list.
    #[inline(never)]
    pub(super) fn give_slab(self, slab: GranuleIndex, id: ClassId) {
        let touched = self.tables.record(slab).touched(info(id));
        self.remove(slab, id);
        let span = Span {
            first: slab.first_page(),
            pages: info(id).slab_pages(),
            zero: false,
        };
        self.arena.give_slab(span, touched);
        usdt::slab_free(info(id).size, self.start_of(slab));
    }

    /// How many empty slabs the cache node keeps when objects come back.
    #[inline]
    pub(super) fn min_empty(self) -> u32 {
        match self.owner.keeps_empty() {
            false => self.tables.min_empty(),
            true => u32::MAX,
        }
    }

    /// Whether the object at `address`, which begins in a slab of class `id`, is out; the caller holds the cache node's lock.
    pub(crate) fn is_out(self, address: usize, id: ClassId) -> bool {
        let offset = address.wrapping_sub(self.arena.base());
        let slab = SlabTables::slab_of(GranuleIndex::containing(offset), info(id));
        let (object, _) = info(id).object_at(offset - slab.offset());
        let record = self.tables.record(slab);
        record.known(info(id)).contains(&object) && !record.has(object)
    }

    /// The objects of a slab that were ever out, by address, the lowest first.
    pub(crate) fn objects_known(
        self,
        slab: GranuleIndex,
        id: ClassId,
    ) -> impl Iterator<Item = usize> + use<'node> {
        let info = info(id);
        let start = self.start_of(slab);
        let known = self.tables.record(slab).known(info);
        known.map(move |object| start + (object * info.size) as usize)
    }

    /// Where the object begins that an address in a slab of class `id` is of; `None` if it is after the last one.
    pub(crate) fn object_start(self, address: usize, id: ClassId) -> Option<usize> {
        let offset = address.wrapping_sub(self.arena.base());
        let slab = SlabTables::slab_of(GranuleIndex::containing(offset), info(id));
        let (object, _) = info(id).object_at(offset - slab.offset());
        let is_one = object < info(id).objects;
        is_one.then(|| self.start_of(slab) + (object * info(id).size) as usize)
    }

    pub(super) fn start_of(self, slab: GranuleIndex) -> usize {
        self.arena.base() + slab.offset()
    }
}

impl SlabTables {
    /// The cluster whose cache node has the slab of an object of class `id` that is out, at `offset`; of any other address, any.
    pub(crate) fn cluster_of(&self, offset: usize, id: ClassId) -> ClusterId {
        let slab = Self::slab_of(GranuleIndex::containing(offset), info(id));
        self.record_of(slab, id)
            .and_then(SlabRecord::cluster)
            .unwrap_or_default()
    }
}
