//! Giving back the memory of pages inside a slab on which no object is in use.
//!
//! # Invariant
//!
//! A page in `gone` holds no object that is out. A slab that is being released is on no list, so that nobody takes its
//! objects; they may come back meanwhile. A slab whose visits are not done is due (`table.rs`).
//!
//! A few objects that stay would else keep the memory of thousands. Slabs that objects are taken from
//! are left alone, since their other objects will be next. Those are the fullest, so what is left
//! of sizes that the program has turned away from goes.
#![forbid(unsafe_code)]

use super::cache_node::{CacheNode, HELD, PARTIAL_LISTS};
use super::class::info;
use super::place::Place;
use super::record::SlabRecord;
use crate::decay::{Budget, Elapsed};
use crate::sys::{page_size, usdt};
use crate::units::{ClassId, GranuleIndex, PAGE_SIZE, PageIndex};

/// When the program holds no more than this share of a cache node's objects, it has freed nearly all.
const NEARLY_FREE_SHARE: usize = 8;
/// A cache node with fewer bytes is not worth a look.
const NEARLY_FREE_BYTES: usize = 2 << 20;

/// Pages of a slab to be given back, one bit for each.
#[derive(Debug)]
#[must_use = "a slab whose release is not ended is on no list"]
pub(crate) struct SlabRelease {
    slab: GranuleIndex,
    pages: [u64; 2],
}

impl SlabRelease {
    /// Gives the memory back, which takes no lock. Returns the bytes, `None` if the kernel takes none.
    #[inline(never)]
    pub(crate) fn run(&self, place: Place<'_>, budget: &mut Budget) -> Option<usize> {
        let (unit, mut bytes) = (page_size(), 0);
        let mut bits = u128::from(self.pages[1]) << 64 | u128::from(self.pages[0]);
        let mut start = self.slab.offset();
        while bits != 0 {
            let skipped = bits.trailing_zeros();
            let run = (bits >> skipped).trailing_ones();
            start += skipped as usize * unit;
            let end = start + run as usize * unit;
            // What is locked into memory stays.
            if !place.arena.region().purge(start, end) {
                return None;
            }
            let (first, last) = (start / PAGE_SIZE, end / PAGE_SIZE);
            place
                .arena
                .thin(PageIndex(first as u32), (last - first) as u32);
            budget.release(run as usize);
            bytes += end - start;
            start = end;
            bits = bits.checked_shr(skipped + run).unwrap_or(0);
        }
        usdt::purge(bytes);
        Some(bytes)
    }
}

impl CacheNode {
    /// Whether the program has freed nearly all objects of a large cache node: it holds an eighth of them, if
    /// `capacity` are in each sheaf of the barn. What is in threads' caches counts as held.
    pub(crate) fn is_nearly_free(&self, id: ClassId, capacity: usize) -> bool {
        let held = (self.out as usize).saturating_sub(self.barn.objects(capacity));
        let (info, slabs) = (info(id), self.slabs as usize);
        slabs * info.slab_bytes() >= NEARLY_FREE_BYTES
            && held * NEARLY_FREE_SHARE < slabs * info.objects as usize
    }

    /// Visits the due slab of this cache node that begins at `slab`. If nobody took an object since the last visit, and it has
    /// pages without objects in use, takes it off its list, for the caller to give them back and then to call
    /// `end_release`.
    pub(crate) fn begin_release(
        &mut self,
        place: Place<'_>,
        id: ClassId,
        slab: GranuleIndex,
        elapsed: Elapsed,
    ) -> Option<SlabRelease> {
        let record = place.record_of(slab, id)?;
        let is_partial = (1..=PARTIAL_LISTS as u8).contains(&record.list());
        let is_to_go = record.visit(is_partial, elapsed.is_long())?;
        place.tables.clear_due(slab);
        if !is_to_go {
            return None;
        }
        let pages = record.idle_pages(info(id));
        if pages == [0; 2] {
            return None;
        }
        self.hold(place, slab, record);
        Some(SlabRelease { slab, pages })
    }

    /// Lets objects of a slab be taken again; its pages are gone if that `is_done`.
    pub(crate) fn end_release(
        &mut self,
        place: Place<'_>,
        id: ClassId,
        release: SlabRelease,
        is_done: bool,
    ) {
        let record = place.tables.record(release.slab);
        debug_assert!(record.list() == HELD);
        if is_done {
            record.add_gone(release.pages);
        }
        self.let_go(place, id, release.slab, record);
    }
}

impl CacheNode {
    /// Takes a partial slab off its list, until `let_go`.
    fn hold(&mut self, place: Place<'_>, slab: GranuleIndex, record: &SlabRecord) {
        let number = usize::from(record.list());
        if let Some(list) = number
            .checked_sub(1)
            .and_then(|number| self.lists.get_mut(number))
        {
            list.remove(place.tables, slab);
        }
        record.set_list(HELD);
    }

    /// Puts a slab on the list that it belongs on now.
    fn let_go(&mut self, place: Place<'_>, id: ClassId, slab: GranuleIndex, record: &SlabRecord) {
        record.set_list(0);
        self.relist(place, slab, record, info(id));
        self.trim(place, id, place.tables.min_empty());
    }
}
