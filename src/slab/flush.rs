//! What a flush does: objects come back into their slabs, row by row.
//!
//! # Invariant
//!
//! Objects of other cache nodes are left to the caller; the first object is always dealt with, so that who asks again and again comes
//! to an end.
#![forbid(unsafe_code)]

use super::cache_node::{CacheNode, PARTIAL_LISTS};
use super::class::{ClassInfo, info};
use super::owner::Owner;
use super::place::Place;
use super::record::{BadObject, SlabRecord};
use super::row::Row;
use super::sheaf::Slot;
use super::table::SlabTables;
use crate::report::{Context, Violation, report_violation};
use crate::sys::usdt;
use crate::units::{ClassId, GranuleIndex};

/// A flush of objects of many slabs fetches their records this far ahead.
const LOOK_AHEAD: usize = 4;
/// The records of this many slabs, with a few words of each, are likely in the processor's cache.
const NEAR_SLABS: u32 = 64;

impl CacheNode {
    /// Takes objects of class `id` back into their slabs, the first of which is of this cache node. Those of other cache nodes move to the
    /// front, and what lies after them means nothing any more; returns how many they are.
    #[inline(never)]
    pub(crate) fn take_back(
        &mut self,
        place: Place<'_>,
        id: ClassId,
        objects: &mut [Slot],
    ) -> usize {
        let (info, base) = (info(id), place.arena.base());
        let slab_of = |object: Slot| {
            let offset = (object as usize).wrapping_sub(base);
            SlabTables::slab_of(GranuleIndex::containing(offset), info)
        };
        let is_large = self.slabs > NEAR_SLABS;
        let (mut turn, mut bad, mut remote) = (0, 0, 0);
        while let Some(&first) = objects.get(turn) {
            let slab = slab_of(first);
            let Some(record) = place.record_of(slab, id) else {
                if turn > 0 && place.is_elsewhere(first, slab, id) {
                    if let Some(place) = objects.get_mut(remote) {
                        *place = first;
                    }
                    remote += 1;
                } else {
                    // All its objects came back, this one among them, and the slab went away.
                    report_violation(Violation::DoubleFree, first as usize, Context::FreePages);
                    bad += 1;
                }
                turn += 1;
                continue;
            };
            if let Some(later) = objects.get(turn + LOOK_AHEAD).filter(|_| is_large) {
                let (slab, offset) = (slab_of(*later), (*later as usize).wrapping_sub(base));
                if offset < place.arena.bytes() {
                    let (object, _) = info.object_at(offset - slab.offset());
                    place.tables.prefetch(slab, object);
                }
            }
            let start = base + slab.offset();
            let is_near =
                |object: &Slot| (*object as usize).wrapping_sub(start) < info.slab_bytes();
            if objects.get(turn + 1).is_some_and(is_near) {
                let rows = Rows {
                    record,
                    place,
                    slab,
                    id,
                };
                let (count, wrong) = rows.take_back(objects.get(turn..).unwrap_or_default());
                turn += count;
                bad += wrong;
            } else {
                let (index, is_start) = info.object_at((first as usize).wrapping_sub(start));
                debug_assert!(is_start);
                let lone = Row {
                    first: index,
                    count: 1,
                };
                if record.give(info, lone).is_err() {
                    bad += give_one_by_one(record, lone, place, slab, id);
                }
                turn += 1;
            }
            if record.becomes_due() {
                place.tables.set_due(slab);
            }
            if !is_listed_right(record, info) {
                self.relist(place, slab, record, info);
            }
        }
        let back = objects.len() - bad - remote;
        self.out -= back as u64;
        usdt::flush(info.size, back);
        self.trim(place, id, place.min_empty());
        remote
    }
}

impl Place<'_> {
    /// Whether an object that is out lies in a slab of another cache node.
    #[cold]
    fn is_elsewhere(self, object: Slot, slab: GranuleIndex, id: ClassId) -> bool {
        let offset = (object as usize).wrapping_sub(self.arena.base());
        let is_near = offset < self.arena.bytes();
        self.owner == Owner::MALLOC && (!is_near || self.tables.record_of(slab, id).is_some())
    }
}

/// Objects of one slab, which often come in rows.
struct Rows<'place> {
    record: &'place SlabRecord,
    place: Place<'place>,
    slab: GranuleIndex,
    id: ClassId,
}

impl Rows<'_> {
    /// Takes those back that `objects` begin with: how many there are, and how many of them were not out and were named.
    // Apart, since objects that are freed in no order come one by one, and are dealt with in fewer registers.
    #[inline(never)]
    fn take_back(&self, objects: &[Slot]) -> (usize, usize) {
        let (info, start) = (info(self.id), self.place.arena.base() + self.slab.offset());
        let (mut turn, mut bad) = (0, 0);
        while let Some(object) = objects.get(turn) {
            let offset = (*object as usize).wrapping_sub(start);
            if offset >= info.slab_bytes() {
                break;
            }
            // A caller that put it into a sheaf has seen that it is an object's start.
            let (index, is_start) = info.object_at(offset);
            debug_assert!(is_start);
            let row = Row::of(objects.get(turn..).unwrap_or_default(), index, info);
            if self.record.give(info, row).is_err() {
                bad += give_one_by_one(self.record, row, self.place, self.slab, self.id);
            }
            turn += row.count as usize;
        }
        (turn, bad)
    }
}

/// Takes the objects of a row back that are out; returns how many are not, and were named.
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
        let violation = match record.give(info(id), Row { first, count: 1 }) {
            Ok(()) => continue,
            Err(BadObject::Free) => Violation::DoubleFree,
            Err(BadObject::Unknown) => Violation::InvalidFree,
        };
        let base = place.arena.base();
        let object = base + slab.offset() + (first * info(id).size) as usize;
        report_violation(violation, object, place.tables.context(base, slab, id));
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
