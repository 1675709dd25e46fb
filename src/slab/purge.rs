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

use core::sync::atomic::Ordering::Relaxed;

use super::class::{ClassInfo, info};
use super::pool::{HELD, PARTIAL_LISTS, Place, Pool};
use super::record::{ROW, SlabRecord};
use crate::arena::Touched;
use crate::decay::{Budget, Elapsed};
use crate::sys::page_size;
use crate::units::{ClassId, GranuleIndex, PAGE_SIZE, PageIndex};

/// Nobody has taken an object since the last visit.
const SEEN: u8 = 1;
/// All pages without objects are gone; no visit is needed until objects come back.
pub(super) const DONE: u8 = 2;

/// When the program holds no more than this share of a pool's objects, it has freed nearly all.
const EBB_SHARE: usize = 8;
/// A pool with fewer bytes is not worth a look.
const EBB_BYTES: usize = 2 << 20;

/// Pages of a slab to be given back, one bit for each.
#[derive(Debug)]
#[must_use = "a slab whose release is not ended is on no list"]
pub(crate) struct SlabRelease {
    slab: GranuleIndex,
    pages: [u64; 2],
}

impl SlabRelease {
    /// Gives the memory back, which takes no lock. Returns the bytes, `None` if the kernel takes none.
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
        Some(bytes)
    }
}

/// log2 of the operating system's page.
fn page_shift() -> u32 {
    page_size().trailing_zeros()
}

// ORDERING: relaxed throughout this file; the pool's lock orders all accesses.

impl Pool {
    /// Whether the program has freed nearly all objects of a large pool: it holds an eighth of them, if
    /// `capacity` are in each sheaf of the barn. What is in threads' caches counts as held.
    pub(crate) fn is_ebbing(&self, id: ClassId, capacity: usize) -> bool {
        let held = (self.out as usize).saturating_sub(self.barn.stock(capacity));
        let (info, slabs) = (info(id), self.slabs as usize);
        slabs * info.slab_bytes() >= EBB_BYTES && held * EBB_SHARE < slabs * info.objects as usize
    }

    /// Visits the due slab of this pool that begins at `slab`. If nobody took an object since the last visit, and it has
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
        let rest = record.rest.load(Relaxed);
        if is_partial && rest & (DONE | SEEN) == 0 && !elapsed.is_long() {
            record.rest.store(SEEN, Relaxed);
            return None;
        }
        place.tables.clear_due(slab);
        record.rest.store(DONE | SEEN, Relaxed);
        if !is_partial || rest & DONE != 0 {
            return None;
        }
        let (info, unit) = (info(id), page_size());
        let mut pages = [0; 2];
        for page in
            (0..info.slab_bytes() >> page_shift()).filter(|page| record.is_idle(info, *page, unit))
        {
            if let Some(word) = pages.get_mut(page / 64) {
                *word |= 1 << (page % 64);
            }
        }
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
            for (word, pages) in record.gone.iter().zip(release.pages) {
                word.store(word.load(Relaxed) | pages, Relaxed);
            }
        }
        self.let_go(place, id, release.slab, record);
    }
}

impl Pool {
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

impl SlabRecord {
    /// Records that objects are taken; whether pages of the slab are gone.
    #[inline]
    pub(super) fn touch(&self) -> bool {
        self.rest.store(self.rest.load(Relaxed) & DONE, Relaxed);
        self.gone.iter().any(|word| word.load(Relaxed) != 0)
    }

    /// Records that objects came back, and with them perhaps whole pages. Returns `true` if the slab is due from now on.
    #[inline]
    pub(super) fn becomes_due(&self) -> bool {
        let rest = self.rest.load(Relaxed);
        if rest & DONE != 0 {
            self.rest.store(rest & !DONE, Relaxed);
        }
        rest & DONE != 0
    }

    /// The pages of `count` objects from `first` on are about to have memory again.
    #[cold]
    pub(super) fn fill_gaps(&self, info: &ClassInfo, first: u32, count: u32) {
        let start = (first * info.size) as usize >> page_shift();
        let last = ((first + count) * info.size - 1) as usize >> page_shift();
        (start..=last).for_each(|page| self.set_gone(page, false));
    }

    /// Which pages of the slab have memory.
    pub(super) fn touched(&self, info: &ClassInfo) -> Touched {
        let unit = (page_size() / PAGE_SIZE) as u32;
        // The skipped objects lie in the first page, so what was written to is everything up to an object's end.
        let known = self.known(info);
        let bytes = if known.is_empty() {
            0
        } else {
            known.end * info.size
        };
        let pages = (bytes as usize).next_multiple_of(page_size()) / PAGE_SIZE;
        let [low, high] = self.gone.each_ref().map(|word| word.load(Relaxed));
        let gone = spread(u128::from(high) << 64 | u128::from(low), unit);
        let written = u128::MAX
            .checked_shr(u128::BITS - pages as u32)
            .unwrap_or(0)
            & !gone;
        Touched { written, gone }
    }

    /// Whether a page has memory, as far as is known, that no object in use needs.
    fn is_idle(&self, info: &ClassInfo, page: usize, unit: usize) -> bool {
        let (first, _) = info.object_at(page * unit);
        let (last, _) = info.object_at(page * unit + unit - 1);
        let known = self.known(info);
        let (first, last) = (
            first.max(known.start),
            last.min(known.end.saturating_sub(1)),
        );
        if known.is_empty() || first > last {
            return !self.is_gone(page) && !self.is_clean();
        }
        !self.is_gone(page) && self.are_free(first, last)
    }

    /// Whether the objects from `first` to `last`, of those that were out, are all in the slab.
    fn are_free(&self, first: u32, last: u32) -> bool {
        (first / ROW..=last / ROW).all(|index| {
            let from = first.max(index * ROW) - index * ROW;
            let to = last.min(index * ROW + ROW - 1) - index * ROW;
            let mask = u64::MAX >> (ROW - 1 - (to - from)) << from;
            let word = self.bits.get(index as usize);
            word.is_some_and(|word| word.load(Relaxed) & mask == mask)
        })
    }

    fn is_gone(&self, page: usize) -> bool {
        let word = self.gone.get(page / 64);
        word.is_some_and(|word| word.load(Relaxed) & 1 << (page % 64) != 0)
    }

    fn set_gone(&self, page: usize, is_gone: bool) {
        if let Some(word) = self.gone.get(page / 64) {
            let (before, bit) = (word.load(Relaxed), 1 << (page % 64));
            word.store(if is_gone { before | bit } else { before & !bit }, Relaxed);
        }
    }
}

/// One bit for each of our pages, from one for each page of the operating system, which is `unit` of ours.
fn spread(bits: u128, unit: u32) -> u128 {
    if unit == 1 {
        return bits;
    }
    let page = u128::MAX >> (u128::BITS - unit);
    (0..u128::BITS / unit.max(1))
        .filter(|index| bits >> index & 1 != 0)
        .fold(0, |all, index| all | page << (index * unit))
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn a_page_of_the_operating_system_is_one_or_more_of_ours() {
        assert_eq!(spread(0b101, 1), 0b101);
        assert_eq!(spread(0b101, 4), 0xf0f);
        assert_eq!(spread(0b1000_0001, 16), 0xffff << 112 | 0xffff);
        assert_eq!([1, 4, 16].map(|unit| spread(0, unit)), [0; 3]);
    }
}
