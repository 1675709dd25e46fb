//! An object that lies in a sheaf, looked at where it is: its slab must hold it for out.
#![forbid(unsafe_code)]

use core::ops::Range;

use super::class::{ClassInfo, info};
use super::place::Place;
use super::record::SlabRecord;
use super::sheaf::Slot;
use super::table::SlabTables;
use crate::report::{Context, Violation, report_violation};
use crate::units::{ClassId, GranuleIndex};

/// Looks at objects of one node and class that somebody has in a sheaf. No object of the sheaf comes back to its slab
/// meanwhile: the caller has read it since it locked the cache node, or the sheaf is its own.
pub(crate) struct Audit<'node> {
    place: Place<'node>,
    id: ClassId,
    info: &'static ClassInfo,
    /// The slab of the object before: neighbours in a sheaf are mostly neighbours in memory.
    slab: Option<KnownSlab<'node>>,
}

struct KnownSlab<'node> {
    start: usize,
    record: &'node SlabRecord,
    /// The objects that were ever out.
    known: Range<u32>,
}

// The child of each fork calls this at its end. So all of it is inlined there: code elsewhere would be another part of
// the file to map.
impl<'node> Audit<'node> {
    #[inline(always)]
    pub(crate) fn new(place: Place<'node>, id: ClassId) -> Self {
        Self {
            place,
            id,
            info: info(id),
            slab: None,
        }
    }

    /// Reports the violation if `object` is in its slab as well, or was never out.
    #[inline(always)]
    pub(crate) fn suspect(&mut self, object: Slot) {
        let address = object as usize;
        let offset = address.wrapping_sub(self.place.arena.base());
        let within =
            |slab: &&KnownSlab<'_>| offset.wrapping_sub(slab.start) < self.info.slab_bytes();
        if self.slab.as_ref().filter(within).is_none() {
            self.slab = self.find(offset, address);
        }
        let Some(slab) = &self.slab else {
            return;
        };
        let (index, _) = self.info.object_at(offset - slab.start);
        let violation = if !slab.known.contains(&index) {
            Violation::InvalidFree
        } else if slab.record.has(index) {
            Violation::DoubleFree
        } else {
            return;
        };
        self.report_violation(violation, offset, address);
    }

    /// The slab of the object at `address`.
    #[inline(always)]
    fn find(&self, offset: usize, address: usize) -> Option<KnownSlab<'node>> {
        let tables = self.place.tables;
        if offset >= tables.covered_bytes() {
            // A remote one, after a refill from afar.
            return None;
        }
        let slab = SlabTables::slab_of(GranuleIndex::containing(offset), self.info);
        if tables.class_at(slab) != self.id {
            report_violation(Violation::DoubleFree, address, Context::FreePages);
            return None;
        }
        let record = tables.record(slab);
        Some(KnownSlab {
            start: slab.offset(),
            record,
            known: record.known(self.info),
        })
    }

    #[cold]
    #[inline(never)]
    fn report_violation(&self, violation: Violation, offset: usize, address: usize) {
        let slab = SlabTables::slab_of(GranuleIndex::containing(offset), self.info);
        let base = self.place.arena.base();
        report_violation(
            violation,
            address,
            self.place.tables.context(base, slab, self.id),
        );
    }
}
