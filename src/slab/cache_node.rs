//! The slabs of one class, of one cluster of processors on one node: what a refill takes from.
//!
//! # Invariant
//!
//! A slab with an object to take is on the list that tells how full it is, or on the list of
//! empty slabs; a slab without is on none. All zero is a cache node without slabs.
#![forbid(unsafe_code)]

use super::barn::Barn;
use super::bits::put;
use super::class::{ClassInfo, info};
use super::list::SlabList;
use super::place::Place;
use super::record::SlabRecord;
use super::sheaf::{Object, Sheaf};
use crate::decay::{Elapsed, LowWatermark};
use crate::sys::usdt;
use crate::units::{ClassId, GranuleIndex};

/// Lists of partial slabs, the fullest first.
pub(super) const PARTIAL_LISTS: usize = 4;
pub(super) const EMPTY_LIST: usize = PARTIAL_LISTS;
/// The list number of a slab that stays on no list, whatever comes back to it, until it is let go.
pub(super) const HELD: u8 = u8::MAX;
/// So few slabs are not worth a look at what is free in them.
const FEW_SLABS: u32 = 2;
/// Slabs that a refill adds at most.
const ADDED: usize = 4;

/// The slabs of one class on one node that one cluster's threads take objects from, and its barn.
#[derive(Debug, Default)]
pub(crate) struct CacheNode {
    pub(super) lists: [SlabList; PARTIAL_LISTS + 1],
    pub(super) slabs: u32,
    /// The slabs that were added since somebody asked, of which the first few count: granule + 1, or 0 for none, so
    /// that zeroed memory is a cache node.
    pub(super) added: [u32; ADDED],
    /// Objects that are out: with the program, in sheaves, in the barn.
    pub(super) out: u64,
    /// The low watermark of empty slabs.
    pub(super) spare: LowWatermark,
    /// Full and empty sheaves.
    pub(crate) barn: Barn,
}

/// A cache node's numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CacheNodeCounts {
    /// Slabs.
    pub(crate) slabs: usize,
    /// Objects that are out of the slabs.
    pub(crate) out: usize,
    /// Objects in the barn, whose full sheaves have as many as the caller says.
    pub(crate) in_barn: usize,
}

impl CacheNode {
    /// Moves up to `wanted` objects into `sheaf` and returns how many. Fewer than wanted means that another slab is needed.
    #[inline(never)]
    pub(crate) fn fill(
        &mut self,
        place: Place<'_>,
        id: ClassId,
        sheaf: &mut Sheaf,
        wanted: usize,
    ) -> usize {
        let info = info(id);
        let mut left = wanted as u32;
        while left > 0 {
            let Some(slab) = self.fullest() else {
                break;
            };
            let base = slab.offset();
            let record = place.tables.record(slab);
            let fresh = place.owner.first_marked(record, info);
            let count = left.min(record.available(info));
            // The lowest goes on top: a program that allocates in a row walks up through memory.
            let slots = sheaf.grow(count as usize);
            let (size, mut end) = (info.size as usize, slots.len());
            record.take(info, count, |first, bits| {
                let start = end.saturating_sub(bits.count_ones() as usize);
                let places = slots.get_mut(start..end).unwrap_or_default();
                end = start;
                let mark = usize::from(first >= fresh);
                let first = place.arena.region().at(base + first as usize * size + mark);
                put(first.as_ptr(), bits, size, places);
            });
            left -= count;
            self.relist(place, slab, record, info);
        }
        let taken = wanted - left as usize;
        self.out += taken as u64;
        self.barn.note_taken(taken);
        usdt::refill(info.size, wanted, taken);
        taken
    }

    /// Gives empty slabs back to the arena until `keep` are left.
    pub(crate) fn trim(&mut self, place: Place<'_>, id: ClassId, keep: u32) {
        while let Some(list) = self
            .lists
            .get_mut(EMPTY_LIST)
            .filter(|list| list.count() > keep)
        {
            let Some(slab) = list.first() else {
                return;
            };
            list.remove(place.tables, slab);
            self.release(place, id, slab);
        }
    }

    /// Gives empty slabs back that were not needed for some time.
    pub(crate) fn decay(&mut self, place: Place<'_>, id: ClassId, elapsed: Elapsed) {
        let (excess, count) = self.excess(elapsed);
        if excess > 0 {
            self.trim(place, id, count - excess);
        }
    }

    /// One object, past all sheaves.
    #[inline(never)]
    pub(crate) fn take_one(&mut self, place: Place<'_>, id: ClassId) -> Option<Object> {
        let slab = self.fullest()?;
        let (record, info) = (place.tables.record(slab), info(id));
        let mut object = None;
        record.take(info, 1, |first, bits| {
            let index = first + bits.trailing_zeros();
            let offset = slab.offset() + (index * info.size) as usize;
            object = Some(place.arena.region().at(offset));
        });
        self.relist(place, slab, record, info);
        self.out += 1;
        self.barn.note_taken(1);
        usdt::refill(info.size, 1, 1);
        object
    }

    /// The slabs that were added since this was asked last.
    pub(crate) fn take_added(&mut self) -> [Option<GranuleIndex>; ADDED] {
        core::mem::take(&mut self.added).map(|slab| slab.checked_sub(1).map(GranuleIndex))
    }

    /// The cache node's numbers.
    pub(crate) fn counts(&self, capacity: usize) -> CacheNodeCounts {
        CacheNodeCounts {
            slabs: self.slabs as usize,
            out: self.out as usize,
            in_barn: self.barn.objects(capacity),
        }
    }

    fn fullest(&self) -> Option<GranuleIndex> {
        self.lists.iter().find_map(SlabList::first)
    }

    /// Whether there is an object to take.
    pub(crate) fn has_objects(&self) -> bool {
        self.fullest().is_some()
    }

    /// Whether half of the objects of more than a few slabs are free.
    pub(crate) fn is_mostly_free(&self, id: ClassId) -> bool {
        let all = u64::from(self.slabs) * u64::from(info(id).objects);
        self.slabs > FEW_SLABS && self.out * 2 < all
    }

    /// Moves a slab to the list that it belongs on now.
    // Apart, so that what is called beside it has more of the stack that is allowed.
    #[inline(never)]
    pub(super) fn relist(
        &mut self,
        place: Place<'_>,
        slab: GranuleIndex,
        record: &SlabRecord,
        info: &ClassInfo,
    ) {
        let (old, new) = (record.list(), list_for(record, info));
        if old == new || old == HELD {
            return;
        }
        if let Some(list) = usize::from(old)
            .checked_sub(1)
            .and_then(|old| self.lists.get_mut(old))
        {
            list.remove(place.tables, slab);
            if usize::from(old) == EMPTY_LIST + 1 {
                self.spare.lower(list.count() as usize);
            }
        }
        if let Some(list) = usize::from(new)
            .checked_sub(1)
            .and_then(|new| self.lists.get_mut(new))
        {
            list.push(place.tables, slab, new);
        }
    }
}

/// The number of the list that a slab belongs on: 0 for full, 1 for nearly full … 5 for empty.
#[inline]
pub(super) fn list_for(record: &SlabRecord, info: &ClassInfo) -> u8 {
    let available = record.available(info);
    if available == 0 {
        0
    } else if available == info.objects {
        EMPTY_LIST as u8 + 1
    } else {
        let quarters = available * PARTIAL_LISTS as u32;
        (1..=PARTIAL_LISTS as u32)
            .map(|list| u8::from(quarters > (list - 1) * info.objects))
            .sum()
    }
}
