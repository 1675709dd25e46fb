//! Giving back the memory of pages inside a slab on which no object is in use.
//!
//! # Invariant
//!
//! A page in `gone` holds no object that is out.
//!
//! A few objects that stay would else keep the memory of thousands. Slabs that objects are taken from
//! are left alone, since their other objects will be next. Those are the fullest, so what is left
//! of sizes that the program has turned away from goes.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::class::{ClassInfo, info};
use super::pool::{PARTIAL_LISTS, Place, Pool};
use super::record::{ROW, SlabRecord};
use crate::decay::Elapsed;
use crate::sys::page_size;
use crate::units::{ClassId, GranuleIndex};

/// States of rest: an object was taken lately, none was between two visits, and all pages without objects
/// are gone.
const SEEN: u8 = 1;
const DONE: u8 = 2;

/// When the program holds no more than this share of a pool's objects, it has freed nearly all.
const EBB_SHARE: usize = 8;
/// A pool with fewer bytes is not worth a look.
const EBB_BYTES: usize = 2 << 20;

/// What was given back of slabs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Purged {
    /// Bytes.
    pub(crate) bytes: usize,
    /// System calls; more than there can be if the kernel refuses them.
    pub(crate) calls: usize,
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

    /// Gives back the pages of a slab of this pool that hold no object in use, if nobody took an object
    /// between this visit and the last.
    pub(crate) fn purge_slab(
        &mut self,
        place: Place<'_>,
        id: ClassId,
        slab: GranuleIndex,
        elapsed: Elapsed,
    ) -> Purged {
        let mut purged = Purged::default();
        let record = place.tables.record(slab);
        let is_partial = (1..=PARTIAL_LISTS as u8).contains(&record.list());
        if place.tables.class_at(slab) != id || !is_partial {
            return purged;
        }
        match record.rest.load(Relaxed) {
            DONE => return purged,
            0 if !elapsed.is_long() => {
                record.rest.store(SEEN, Relaxed);
                return purged;
            }
            _ => record.rest.store(DONE, Relaxed),
        }
        let (info, unit) = (info(id), page_size());
        let pages = info.slab_bytes() >> page_shift();
        let mut page = 0;
        while page < pages {
            let run = (page..pages)
                .take_while(|page| record.is_idle(info, *page, unit))
                .count();
            if run == 0 {
                page += 1;
                continue;
            }
            let start = slab.offset() + page * unit;
            purged.calls += 1;
            if !place.arena.region().purge(start, start + run * unit) {
                // What is locked into memory stays.
                purged.calls = usize::MAX;
                return purged;
            }
            (page..page + run).for_each(|page| record.set_gone(page, true));
            purged.bytes += run * unit;
            page += run;
        }
        purged
    }
}

impl SlabRecord {
    /// Takes note that objects are taken; whether pages of the slab are gone.
    #[inline]
    pub(super) fn touch(&self) -> bool {
        self.rest.store(0, Relaxed);
        self.gone.iter().any(|word| word.load(Relaxed) != 0)
    }

    /// Takes note that objects came back, and with them perhaps whole pages.
    #[inline]
    pub(super) fn look_again(&self) {
        if self.rest.load(Relaxed) == DONE {
            self.rest.store(SEEN, Relaxed);
        }
    }

    /// The pages of `count` objects from `first` on are about to have memory again.
    #[cold]
    pub(super) fn fill_gaps(&self, info: &ClassInfo, first: u32, count: u32) {
        let start = (first * info.size) as usize >> page_shift();
        let last = ((first + count) * info.size - 1) as usize >> page_shift();
        (start..=last).for_each(|page| self.set_gone(page, false));
    }

    /// Whether a page has memory, as far as is known, that no object in use needs.
    fn is_idle(&self, info: &ClassInfo, page: usize, unit: usize) -> bool {
        let (first, _) = info.object_at(page * unit);
        let (last, _) = info.object_at(page * unit + unit - 1);
        let is_fresh = first >= u32::from(self.carved.load(Relaxed));
        if is_fresh && self.is_clean.load(Relaxed) != 0 {
            return false;
        }
        !self.is_gone(page) && self.are_free(first, last)
    }

    /// Whether the objects from `first` to `last` are all in the slab.
    fn are_free(&self, first: u32, last: u32) -> bool {
        let carved = u32::from(self.carved.load(Relaxed));
        let last = last.min(carved.saturating_sub(1));
        if first > last || carved == 0 {
            return true;
        }
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
