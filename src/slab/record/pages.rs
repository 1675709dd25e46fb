//! The pages of a slab: which were given back, and what visits by purging know of them.
//!
//! # Invariant
//!
//! A page that is marked gone holds no object that is out.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::SlabRecord;
use crate::arena::Touched;
use crate::slab::class::ClassInfo;
use crate::sys::page_size;
use crate::units::PAGE_SIZE;

// What visits know, in the byte `visits`.
/// Nobody has taken an object since the last visit.
const SEEN: u8 = 1;
/// All pages without objects are gone; no visit is needed until objects come back.
const DONE: u8 = 2;

// ORDERING: relaxed throughout this file; the cache node's lock orders all accesses.

impl SlabRecord {
    /// Marks a new slab as one that has nothing to give back until objects come back.
    pub(in crate::slab) fn needs_no_visit(&self) {
        self.visits.store(DONE, Relaxed);
    }

    /// A visit by purging to a slab that `is_partial`; `None` if it is to be visited again, since objects were taken after the
    /// last visit and nobody `is_hurried`. Else whether its pages without objects are to go.
    pub(in crate::slab) fn visit(&self, is_partial: bool, is_hurried: bool) -> Option<bool> {
        let visits = self.visits.load(Relaxed);
        if is_partial && visits & (DONE | SEEN) == 0 && !is_hurried {
            self.visits.store(SEEN, Relaxed);
            return None;
        }
        self.visits.store(DONE | SEEN, Relaxed);
        Some(is_partial && visits & DONE == 0)
    }

    /// The pages that have memory, as far as is known, which no object in use needs: one bit for each.
    pub(in crate::slab) fn idle_pages(&self, info: &ClassInfo) -> [u64; 2] {
        let unit = page_size();
        let mut pages = [0; 2];
        for page in
            (0..info.slab_bytes() >> page_shift()).filter(|page| self.is_idle(info, *page, unit))
        {
            if let Some(word) = pages.get_mut(page / 64) {
                *word |= 1 << (page % 64);
            }
        }
        pages
    }

    /// Marks pages as gone.
    pub(in crate::slab) fn add_gone(&self, pages: [u64; 2]) {
        for (word, pages) in self.gone.iter().zip(pages) {
            word.store(word.load(Relaxed) | pages, Relaxed);
        }
    }

    /// Of an empty slab that waits for a grace period, which has no pages that are gone: the period's number in their place.
    pub(in crate::slab) fn period(&self) -> u64 {
        self.gone.first().map_or(0, |word| word.load(Relaxed))
    }

    /// Has the slab wait for a period; 0 ends that.
    pub(in crate::slab) fn set_period(&self, period: u64) {
        if let Some(word) = self.gone.first() {
            word.store(period, Relaxed);
        }
    }

    /// Records that objects are taken; returns whether pages of the slab are gone.
    #[inline]
    pub(in crate::slab) fn touch(&self) -> bool {
        self.visits.store(self.visits.load(Relaxed) & DONE, Relaxed);
        self.gone.iter().any(|word| word.load(Relaxed) != 0)
    }

    /// Records that objects came back, and with them perhaps whole pages. Returns `true` if the slab is due from now on.
    #[inline]
    pub(in crate::slab) fn becomes_due(&self) -> bool {
        let visits = self.visits.load(Relaxed);
        if visits & DONE != 0 {
            self.visits.store(visits & !DONE, Relaxed);
        }
        visits & DONE != 0
    }

    /// The pages of `count` objects from `first` on are about to have memory again.
    #[cold]
    pub(in crate::slab) fn fill_gaps(&self, info: &ClassInfo, first: u32, count: u32) {
        let start = (first * info.size) as usize >> page_shift();
        let last = ((first + count) * info.size - 1) as usize >> page_shift();
        (start..=last).for_each(|page| self.set_gone(page, false));
    }

    /// Which pages of the slab have memory.
    pub(in crate::slab) fn touched(&self, info: &ClassInfo) -> Touched {
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

/// log2 of the operating system's page.
fn page_shift() -> u32 {
    page_size().trailing_zeros()
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
