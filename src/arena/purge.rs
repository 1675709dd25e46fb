//! Giving the memory behind a pageblock's free pages back to the kernel.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::page_map::PageMap;
use super::record::DIRTY_WORDS;
use crate::sys::{Region, page_size};
use crate::units::{BLOCK_PAGES, PAGE_SIZE, PageIndex};

/// One bit for each page of a pageblock.
type Pages = [u64; DIRTY_WORDS];

/// Purges the free dirty pages of the pageblock that begins at `block`; how many it were.
pub(super) fn purge_block(data: &Region, map: &PageMap, block: PageIndex) -> u64 {
    let pages = free_and_dirty(map, block);
    // A page of the operating system may be several of ours; only whole ones go.
    let unit = (page_size() / PAGE_SIZE) as u32;
    let mut purged = 0;
    let mut page = 0;
    while let Some(first) = next(&pages, page, true) {
        let end = next(&pages, first, false).unwrap_or(BLOCK_PAGES);
        page = end;
        let (first, end) = (first.next_multiple_of(unit), end / unit * unit);
        if first >= end {
            continue;
        }
        if data.purge(block.plus(first).offset(), block.plus(end).offset()) {
            map.set_dirty(block.plus(first), end - first, false);
            purged += u64::from(end - first);
        }
    }
    purged
}

/// Number of free pages of the pageblock that still have memory behind them.
pub(super) fn dirty_free_pages(map: &PageMap, block: PageIndex) -> u64 {
    free_and_dirty(map, block)
        .iter()
        .map(|word| u64::from(word.count_ones()))
        .sum()
}

fn free_and_dirty(map: &PageMap, block: PageIndex) -> Pages {
    let mut pages = Pages::default();
    let mut page = block;
    while page.0 < block.0 + BLOCK_PAGES {
        match map.free_block_of(page) {
            Some((_, order)) => {
                fill(&mut pages, page.in_block(), order.pages());
                page = page.plus(order.pages());
            }
            None => page = page.plus(map.head(page).map_or(1, |head| head.pages)),
        }
    }
    for (word, dirty) in pages.iter_mut().zip(map.record(block).dirty()) {
        // ORDERING: relaxed, under the arena's lock.
        *word &= dirty.load(Relaxed);
    }
    pages
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
