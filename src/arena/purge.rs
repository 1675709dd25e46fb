//! Giving the memory behind free pages back to the kernel: whole 2 MiB first, so that no huge page is
//! broken for little, and what lies in smaller pieces as far as it is much.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::page_map::PageMap;
use super::record::DIRTY_WORDS;
use super::{Arena, State};
use crate::decay::Elapsed;
use crate::sys::page_size;
use crate::units::{BLOCK_PAGES, Order, PAGE_SIZE, PageIndex};

/// One bit for each page of a pageblock.
type Pages = [u64; DIRTY_WORDS];

/// The order of a huge page on machines with pages of 4 KiB.
const HUGE_PAGE: Order = Order::new(9);
const SINGLE: Order = Order::new(0);
/// In a step at least so many pages go, so that the end is reached: 1 MiB.
const LEAST: usize = 256;
/// Dirty pages in pieces below 2 MiB stay as long as they are no more than this share of what is used,
/// or 256 KiB.
const WASTE_SHARE: usize = 64;
const WASTE: usize = 64;

impl Arena {
    /// Gives memory back that was not needed for some time, but for `kept` pages, and about `most` pages at
    /// once; the number of pages. `owes` tells whether there are more.
    pub(crate) fn decay(&self, elapsed: Elapsed, kept: usize, most: usize) -> usize {
        let (surplus, waste) = {
            let mut state = self.state.lock();
            let dirty = self.dirty_pages();
            let used = state.frontier as usize - state.buddy.free_pages() as usize;
            let waste = (used / WASTE_SHARE).max(WASTE);
            let surplus = state.low.surplus(dirty, elapsed, LEAST).max(state.owed);
            (surplus.min(dirty.saturating_sub(kept)), waste)
        };
        let now = surplus.min(most);
        let purged = self.purge_blocks(HUGE_PAGE, now);
        let waste = match elapsed.is_long() || surplus > now {
            true => kept,
            false => waste.max(kept),
        };
        let rest = now - purged.min(now);
        let rest = rest.min(self.dirty_pages().saturating_sub(waste));
        let purged = purged + self.purge_blocks(SINGLE, rest);
        let left = surplus.saturating_sub(now);
        self.state.lock().owed = left.min(self.dirty_pages());
        purged
    }

    /// Whether a round had no time for all that was to go.
    pub(crate) fn owes(&self) -> bool {
        self.state.lock().owed > 0
    }

    /// Gives the memory behind all free pages back; the number of pages.
    pub(crate) fn purge(&self) -> usize {
        self.purge_blocks(SINGLE, usize::MAX)
    }

    /// Gives back about `wanted` pages of free blocks of at least `order`, from the highest on: the lowest
    /// are used first.
    fn purge_blocks(&self, order: Order, wanted: usize) -> usize {
        let mut purged = 0;
        let mut end = self.state.lock().frontier.next_multiple_of(BLOCK_PAGES);
        while purged < wanted && end > 0 {
            end -= BLOCK_PAGES;
            // One pageblock at a time, so that nobody waits for the whole arena.
            let mut state = self.state.lock();
            if end >= state.frontier {
                continue;
            }
            match self.purge_block(&mut state, PageIndex(end), order) {
                Some(pages) => purged += pages,
                // The kernel keeps what is locked into memory, and would refuse the rest too.
                None => break,
            }
        }
        purged
    }

    /// How many pages went; `None` if the kernel takes none.
    fn purge_block(&self, state: &mut State, block: PageIndex, order: Order) -> Option<usize> {
        // A page of the operating system may be several of ours; only whole ones go.
        let unit = (page_size() / PAGE_SIZE) as u32;
        debug_assert!(unit.is_power_of_two());
        let pages = free_and_dirty(&self.map, block, order, unit);
        let mut purged = 0;
        let mut page = 0;
        while let Some(first) = next(&pages, page, true) {
            let end = next(&pages, first, false).unwrap_or(BLOCK_PAGES);
            page = end;
            let (first, end) = ((first + unit - 1) & !(unit - 1), end & !(unit - 1));
            if first >= end {
                continue;
            }
            let (start, count) = (block.plus(first), end - first);
            if !self.data.purge(start.offset(), block.plus(end).offset()) {
                return None;
            }
            let dirty = self.map.dirty_pages(start, count) as usize;
            self.map.set_dirty(start, count, false);
            state.low.note(self.add_dirty(-dirty.cast_signed()));
            purged += dirty;
        }
        Some(purged)
    }
}

/// The pages of free blocks of at least the order `least` that are dirty, or share a page of the operating
/// system, `unit` of ours, with one that is.
fn free_and_dirty(map: &PageMap, block: PageIndex, least: Order, unit: u32) -> Pages {
    let mut pages = Pages::default();
    let mut page = block;
    while page.0 < block.0 + BLOCK_PAGES {
        page = match map.free_block_of(page) {
            Some((_, order)) => {
                if order >= least {
                    fill(&mut pages, page.in_block(), order.pages());
                }
                page.plus(order.pages())
            }
            None => page.plus(map.head(page).map_or(1, |head| head.pages)),
        };
        // Blocks of that order begin at its multiples.
        page.0 = page.0.next_multiple_of(least.pages());
    }
    for (word, dirty) in pages.iter_mut().zip(map.record(block).dirty()) {
        // ORDERING: relaxed, under the arena's lock.
        *word &= widened(dirty.load(Relaxed), unit);
    }
    pages
}

/// With all bits of each group of `unit` in which there is one.
fn widened(bits: u64, unit: u32) -> u64 {
    let group = u64::MAX >> (u64::BITS - unit.min(u64::BITS));
    let groups = (0..u64::BITS).step_by(unit as usize);
    groups
        .map(|start| group << start)
        .filter(|group| unit > 1 && bits & group != 0)
        .fold(bits, |all, group| all | group)
}

fn fill(pages: &mut Pages, first: u32, count: u32) {
    for page in first..first + count {
        if let Some(word) = pages.get_mut(page as usize / 64) {
            *word |= 1 << (page % 64);
        }
    }
}

/// The first page from `from` on whose bit is `set`.
fn next(pages: &Pages, from: u32, set: bool) -> Option<u32> {
    let mut page = from;
    while page < BLOCK_PAGES {
        let word = pages.get(page as usize / 64).copied().unwrap_or_default();
        let bits = (if set { word } else { !word }) >> (page % 64);
        if bits != 0 {
            return Some(page + bits.trailing_zeros()).filter(|page| *page < BLOCK_PAGES);
        }
        page = (page / 64 + 1) * 64;
    }
    None
}
