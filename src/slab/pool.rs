//! The slabs of one class on one node: refill and flush in batches.
//!
//! # Invariant
//!
//! A slab with an object to take is on the list that tells how full it is, or on the list of
//! empty slabs; a slab without is on none. All zero is a pool without slabs.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::barn::Barn;
use super::bits::put;
use super::class::{ClassInfo, info};
use super::coming::NewSlab;
use super::list::SlabList;
use super::named::Owner;
use super::purge::DONE;
use super::record::{BadObject, SlabRecord};
use super::row::Row;
use super::sheaf::{Object, Sheaf, Slot};
use super::table::SlabTables;
use crate::arena::Arena;
use crate::decay::{Elapsed, LowWater};
use crate::report::{Crime, Scene, accuse};
use crate::units::{ClassId, GranuleIndex};

/// Partial slabs are kept in so many lists, the fullest first.
pub(super) const PARTIAL_LISTS: usize = 4;
pub(super) const EMPTY_LIST: usize = PARTIAL_LISTS;
/// The list number of a slab that stays on no list, whatever comes back to it, until it is let go.
pub(super) const HELD: u8 = u8::MAX;
/// A flush of objects of many slabs fetches their records so far ahead.
const LOOK_AHEAD: usize = 4;
/// The records of so many slabs, with a few words of each, are likely in the processor's cache.
const NEAR_SLABS: u32 = 64;

/// A refill adds at most so many slabs.
const ADDED: usize = 4;

/// Where a pool's slabs lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'node> {
    /// Pages come from here.
    pub(crate) arena: &'node Arena,
    /// Records are here.
    pub(crate) tables: &'node SlabTables,
    /// Whose slabs they are.
    pub(crate) owner: Owner,
}

/// The slabs of one class on one node, and its barn.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    pub(super) lists: [SlabList; PARTIAL_LISTS + 1],
    pub(super) slabs: u32,
    /// The slabs that were added since somebody asked, of which the first few count: granule + 1, or 0 for none, so
    /// that zeroed memory is a pool.
    added: [u32; ADDED],
    /// Objects that are out: with the program, in sheaves, in the barn.
    pub(super) out: u64,
    /// The fewest empty slabs of late.
    pub(super) spare: LowWater,
    /// Full and empty sheaves.
    pub(crate) barn: Barn,
}

/// A pool's numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PoolCounts {
    /// Slabs.
    pub(crate) slabs: usize,
    /// Objects that are out of the slabs.
    pub(crate) out: usize,
    /// Objects in the barn, whose full sheaves have as many as the caller says.
    pub(crate) in_barn: usize,
}

impl Pool {
    /// Moves up to `wanted` objects into `sheaf` and returns how many. Fewer than wanted means that another slab is needed.
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
        taken
    }

    /// Takes objects back into their slabs; they are all of this node and class.
    pub(crate) fn take_back(&mut self, place: Place<'_>, id: ClassId, objects: &[Slot]) {
        let (info, base) = (info(id), place.arena.base());
        let slab_of = |object: Slot| {
            let offset = (object as usize).wrapping_sub(base);
            SlabTables::slab_of(GranuleIndex::containing(offset), info)
        };
        let is_large = self.slabs > NEAR_SLABS;
        let (mut turn, mut bad) = (0, 0);
        while let Some(first) = objects.get(turn) {
            let slab = slab_of(*first);
            let Some(record) = place.record_of(slab, id) else {
                // All its objects came back, this one among them, and the slab went away.
                accuse(Crime::DoubleFree, *first as usize, Scene::FreePages);
                (turn, bad) = (turn + 1, bad + 1);
                continue;
            };
            if let Some(later) = objects.get(turn + LOOK_AHEAD).filter(|_| is_large) {
                let slab = slab_of(*later);
                let offset = (*later as usize).wrapping_sub(base + slab.offset());
                place.tables.prefetch(slab, info.object_at(offset).0);
            }
            let start = base + slab.offset();
            // Objects of one slab often come in a row.
            while let Some(object) = objects.get(turn) {
                let offset = (*object as usize).wrapping_sub(start);
                if offset >= info.slab_bytes() {
                    break;
                }
                // Whoever put it into a sheaf has seen that it is an object's start.
                let (index, is_start) = info.object_at(offset);
                debug_assert!(is_start);
                let row = Row::of(objects.get(turn..).unwrap_or_default(), index, info);
                if record.give(info, row).is_err() {
                    bad += give_one_by_one(record, row, place, slab, id);
                }
                turn += row.count as usize;
            }
            if record.becomes_due() {
                place.tables.set_due(slab);
            }
            if !is_listed_right(record, info) {
                self.relist(place, slab, record, info);
            }
        }
        self.out -= (objects.len() - bad) as u64;
        self.trim(place, id, place.min_empty());
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
        let (surplus, count) = self.surplus(elapsed);
        if surplus > 0 {
            self.trim(place, id, count - surplus);
        }
    }

    /// One object, past all sheaves.
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
        object
    }

    /// The slabs that were added since this was asked last.
    pub(crate) fn take_added(&mut self) -> [Option<GranuleIndex>; ADDED] {
        core::mem::take(&mut self.added).map(|slab| slab.checked_sub(1).map(GranuleIndex))
    }

    /// The pool's numbers.
    pub(crate) fn counts(&self, capacity: usize) -> PoolCounts {
        PoolCounts {
            slabs: self.slabs as usize,
            out: self.out as usize,
            in_barn: self.barn.stock(capacity),
        }
    }

    fn fullest(&self) -> Option<GranuleIndex> {
        self.lists.iter().find_map(SlabList::first)
    }

    /// Whether there is an object to take.
    pub(crate) fn has_objects(&self) -> bool {
        self.fullest().is_some()
    }

    /// Adds a slab that `new_slab` made.
    pub(crate) fn add(&mut self, place: Place<'_>, new: NewSlab) {
        let NewSlab { slab, is_clean } = new;
        let record = place.tables.record(slab);
        if is_clean {
            record.set_clean();
            // Until objects come back there is nothing to give back.
            record.rest.store(DONE, Relaxed);
        } else {
            place.tables.set_due(slab);
        }
        self.slabs += 1;
        if let Some(place) = self.added.iter_mut().find(|place| **place == 0) {
            *place = slab.0 + 1;
        }
        if let Some(list) = self.lists.get_mut(EMPTY_LIST) {
            list.push(place.tables, slab, EMPTY_LIST as u8 + 1);
        }
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
                self.spare.note(list.count() as usize);
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

/// Takes the objects of a row back that are out; how many are not, and were named.
#[cold]
fn give_one_by_one(
    record: &SlabRecord,
    row: Row,
    place: Place<'_>,
    slab: GranuleIndex,
    id: ClassId,
) -> usize {
    let mut bad = 0;
    for first in row.first..row.first + row.count {
        let crime = match record.give(info(id), Row { first, count: 1 }) {
            Ok(()) => continue,
            Err(BadObject::Free) => Crime::DoubleFree,
            Err(BadObject::Unknown) => Crime::InvalidFree,
        };
        let base = place.arena.base();
        let object = base + slab.offset() + (first * info(id).size) as usize;
        accuse(crime, object, place.tables.scene(base, slab, id));
        bad += 1;
    }
    bad
}

/// Whether a slab is on the right list after objects came back.
#[inline]
fn is_listed_right(record: &SlabRecord, info: &ClassInfo) -> bool {
    let most = u32::from(record.list()) * info.objects;
    record.out() != 0 && record.available(info) * PARTIAL_LISTS as u32 <= most
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
