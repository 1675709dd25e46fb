//! A pageblock's record: which of its pages are free at which order, which are dirty, and where
//! spans begin.
//!
//! # Invariant
//!
//! Untouched memory is all zero: no page free, none dirty, no head. Written under the arena's lock.

use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering::Relaxed};

use super::density::Density;
use super::kind::{Kind, Use};
use super::page_set::{PageSet, WORDS};
use crate::report::internal_error;
use crate::sys::ZeroInit;
use crate::units::{BLOCK_PAGES, ORDERS, Order};

/// Where each order's bits begin: 16 words for single pages, then 8, 4, 2, and one word each.
const FIRST_WORD: [usize; ORDERS + 1] = [0, 16, 24, 28, 30, 31, 32, 33, 34, 35, 36, 37];
const FREE_WORDS: usize = FIRST_WORD[ORDERS];

// ORDERING: relaxed throughout this file; the arena's lock orders writers, and who reads a head
// without it owns the span and so has been handed it.

/// A span's first page: how long it is and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Length in pages, 1 ..= 1024.
    pub(crate) pages: u32,
    /// What the span is used for.
    pub(crate) used_for: Use,
}

pub(super) const LARGE_BIT: u16 = 1 << 15;

/// The state of 1,024 pages.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct BlockRecord {
    pub(super) free: [AtomicU64; FREE_WORDS],
    pub(super) dirty: [AtomicU64; WORDS],
    /// Pages to which the program gave other properties; written without the lock.
    changed: [AtomicU64; WORDS],
    pub(super) heads: [AtomicU16; BLOCK_PAGES as usize],
    pub(super) kind: AtomicU8,
    /// What the kernel was told of huge pages.
    pub(super) density: Density,
}

// SAFETY: made of atomics, and zero is a number.
unsafe impl ZeroInit for BlockRecord {}

const _: () = assert!(size_of::<BlockRecord>() == 2624);

impl BlockRecord {
    /// What the pageblock is for.
    pub(super) fn kind(&self) -> Kind {
        Kind::from_number(self.kind.load(Relaxed))
    }

    /// Makes the pageblock one for that.
    pub(super) fn set_kind(&self, kind: Kind) {
        self.kind.store(kind as u8, Relaxed);
    }

    /// How many free blocks of `order` there are.
    pub(super) fn free_blocks(&self, order: Order) -> u32 {
        let words = self.free_words(order).iter();
        words.map(|word| word.load(Relaxed).count_ones()).sum()
    }

    /// Whether a block of `order` that begins at page `page` is free.
    pub(super) fn is_free(&self, page: u32, order: Order) -> bool {
        let (word, bit) = self.free_bit(page, order);
        word.load(Relaxed) & bit != 0
    }

    /// Marks the block free.
    pub(super) fn set_free(&self, page: u32, order: Order) {
        let (word, bit) = self.free_bit(page, order);
        word.store(word.load(Relaxed) | bit, Relaxed);
    }

    /// Marks the block not free; gives whether another of its order is.
    pub(super) fn clear_free(&self, page: u32, order: Order) -> bool {
        let (word, bit) = self.free_bit(page, order);
        word.store(word.load(Relaxed) & !bit, Relaxed);
        self.free_words(order)
            .iter()
            .any(|word| word.load(Relaxed) != 0)
    }

    /// The first page of the lowest free block of `order`.
    pub(super) fn lowest_free(&self, order: Order) -> Option<u32> {
        let mut words = (0..).zip(self.free_words(order));
        let (index, bits) = words
            .find_map(|(index, word)| Some((index, word.load(Relaxed))).filter(|w| w.1 != 0))?;
        Some((index * 64 + bits.trailing_zeros()) << order.index())
    }

    /// The order and first page of the free block that holds `page`.
    pub(super) fn free_block_of(&self, page: u32) -> Option<(u32, Order)> {
        (0..ORDERS as u32).map(Order::new).find_map(|order| {
            let first = page & !(order.pages() - 1);
            self.is_free(first, order).then_some((first, order))
        })
    }

    /// Marks pages as changed, or not.
    pub(super) fn set_changed(&self, first: u32, end: u32, is_changed: bool) {
        for (word, mask) in masked(&self.changed, first, end) {
            match is_changed {
                true => word.fetch_or(mask, Relaxed),
                false => word.fetch_and(!mask, Relaxed),
            };
        }
    }

    /// Whether any of these pages is changed.
    pub(super) fn is_changed(&self, first: u32, end: u32) -> bool {
        masked(&self.changed, first, end).any(|(word, mask)| word.load(Relaxed) & mask != 0)
    }

    fn free_words(&self, order: Order) -> &[AtomicU64] {
        let start = FIRST_WORD.get(order.index()).copied().unwrap_or_default();
        let end = FIRST_WORD
            .get(order.index() + 1)
            .copied()
            .unwrap_or_default();
        self.free.get(start..end).unwrap_or_default()
    }

    fn free_bit(&self, page: u32, order: Order) -> (&AtomicU64, u64) {
        let index = page >> order.index();
        match self.free_words(order).get(index as usize / 64) {
            Some(word) => (word, 1 << (index % 64)),
            None => internal_error("page outside its block"),
        }
    }

    /// Marks `pages` from `first` on as dirty or clean.
    pub(super) fn set_dirty(&self, first: u32, pages: u32, dirty: bool) {
        for (word, mask) in masked(&self.dirty, first, first + pages) {
            let before = word.load(Relaxed);
            word.store(if dirty { before | mask } else { before & !mask }, Relaxed);
        }
    }

    /// How many of `pages` from `first` on may hold something else than zeroes.
    pub(super) fn dirty_pages(&self, first: u32, pages: u32) -> u32 {
        masked(&self.dirty, first, first + pages)
            .map(|(word, mask)| (word.load(Relaxed) & mask).count_ones())
            .sum()
    }

    /// The pages that may hold something else than zeroes, in use or not.
    pub(super) fn dirty(&self) -> PageSet {
        PageSet(core::array::from_fn(|index| {
            self.dirty.get(index).map_or(0, |word| word.load(Relaxed))
        }))
    }

    /// The pages of free blocks of at least the order `least`.
    pub(super) fn free_pages(&self, least: Order) -> PageSet {
        let mut pages = PageSet::default();
        for order in (least.index() as u32..ORDERS as u32).map(Order::new) {
            for (index, word) in (0..).zip(self.free_words(order)) {
                let mut bits = word.load(Relaxed);
                while bits != 0 {
                    let block = index * 64 + bits.trailing_zeros();
                    pages.fill(block << order.index(), order.pages());
                    bits &= bits - 1;
                }
            }
        }
        pages
    }

    /// The span that begins at `page`.
    pub(super) fn head(&self, page: u32) -> Option<Head> {
        let value = self.head_entry(page).load(Relaxed);
        let used_for = if value & LARGE_BIT != 0 {
            Use::Large
        } else {
            Use::Slab
        };
        (value != 0).then_some(Head {
            pages: u32::from(value & !LARGE_BIT),
            used_for,
        })
    }

    /// Records, or with `None` forgets, that a span begins at `page`.
    pub(super) fn set_head(&self, page: u32, head: Option<Head>) {
        let value = head.map_or(0, |head| {
            let mark = if head.used_for == Use::Large {
                LARGE_BIT
            } else {
                0
            };
            head.pages as u16 | mark
        });
        self.head_entry(page).store(value, Relaxed);
    }

    fn head_entry(&self, page: u32) -> &AtomicU16 {
        match self.heads.get((page % BLOCK_PAGES) as usize) {
            Some(entry) => entry,
            None => internal_error("page outside its block"),
        }
    }
}

/// The words with the bits from `first` to `end`, and the mask of those in each; none where there is no bit.
fn masked(words: &[AtomicU64], first: u32, end: u32) -> impl Iterator<Item = (&AtomicU64, u64)> {
    let indexed = (0..).zip(words).skip(first as usize / 64);
    indexed
        .take_while(move |(index, _)| first < end && index * 64 < end)
        .map(move |(index, word)| {
            let from = first.max(index * 64) - index * 64;
            let to = end.min(index * 64 + 64) - index * 64;
            (word, (u64::MAX >> (64 - (to - from))) << from)
        })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::boxed::Box;

    fn record() -> Box<BlockRecord> {
        // SAFETY: zeroed memory is a record.
        unsafe { Box::new(core::mem::zeroed()) }
    }

    #[test]
    fn the_lowest_free_block_is_found_at_every_order() {
        let record = record();
        for order in (0..ORDERS as u32).map(Order::new) {
            assert_eq!(record.lowest_free(order), None);
            let last = BLOCK_PAGES - order.pages();
            record.set_free(last, order);
            assert_eq!(record.lowest_free(order), Some(last));
            record.set_free(0, order);
            assert_eq!(record.lowest_free(order), Some(0));
            assert_eq!(record.clear_free(0, order), last != 0);
        }
    }

    #[test]
    fn dirt_is_kept_by_the_page() {
        let record = record();
        record.set_dirty(60, 70, true);
        assert_eq!(record.dirty_pages(0, 60), 0);
        assert_eq!(record.dirty_pages(59, 2), 1);
        assert_eq!(record.dirty_pages(129, 1), 1);
        assert_eq!(record.dirty_pages(130, 894), 0);
        assert_eq!(record.dirty_pages(70, 0), 0);
        record.set_dirty(70, 0, false);
        assert_eq!(record.dirty_pages(0, 1024), 70);
        record.set_dirty(0, 1024, false);
        assert_eq!(record.dirty_pages(0, 1024), 0);
    }

    #[test]
    fn a_head_tells_length_and_use() {
        let record = record();
        assert_eq!(record.head(1023), None);
        let head = Head {
            pages: 1024,
            used_for: Use::Large,
        };
        record.set_head(0, Some(head));
        assert_eq!(record.head(0), Some(head));
        record.set_head(0, None);
        assert_eq!(record.head(0), None);
    }
}
