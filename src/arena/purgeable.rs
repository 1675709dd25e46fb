//! Which pages of a pageblock are purged: dirty ones, and what shares an operating system's page with them.
#![forbid(unsafe_code)]

use super::page_map::PageMap;
use super::page_set::PageSet;
use crate::sys::page_size;
use crate::units::{BLOCK_PAGES, Order, PAGE_SIZE, PageIndex};

/// The order of a huge page on machines with pages of 4 KiB.
pub(super) const HUGE_PAGE: Order = Order::new(9);
/// Runs of pages that are given back at once, at most: a fork waits for that.
const MOST_RUNS: usize = 64;

/// About `most` pages of free blocks of at least the order `least` that are dirty, or share a page of the operating
/// system with one that is, which may be a huge one; and whether those are all.
#[inline(never)]
pub(super) fn purgeable(
    map: &PageMap,
    block: PageIndex,
    least: Order,
    most: usize,
) -> (PageSet, bool) {
    // A page of the operating system may be several of ours; only whole ones go.
    let record = map.record(block);
    let (mut pages, dirty) = (record.free_pages(least), record.dirty());
    let unit = if least == HUGE_PAGE {
        keep_touched_huge(&mut pages, dirty);
        HUGE_PAGE.pages()
    } else {
        let unit = (page_size() / PAGE_SIZE) as u32;
        for (word, dirty) in pages.0.iter_mut().zip(dirty.0) {
            *word &= widened(dirty, unit);
        }
        unit
    };
    debug_assert!(unit.is_power_of_two());
    let (mut chosen, mut count, mut runs) = (PageSet::default(), 0, 0);
    for (first, end) in pages.runs() {
        let (first, end) = ((first + unit - 1) & !(unit - 1), end & !(unit - 1));
        if first >= end {
            continue;
        }
        if count >= most || runs == MOST_RUNS {
            return (chosen, false);
        }
        let left = u32::try_from(most - count).unwrap_or(BLOCK_PAGES);
        let length = (end - first).min(left.next_multiple_of(unit));
        chosen.fill(first, length);
        (count, runs) = (count + length as usize, runs + 1);
        if first + length < end {
            return (chosen, false);
        }
    }
    (chosen, true)
}

/// Leaves huge pages in which any page is dirty: where the kernel gave one, all of it is there.
fn keep_touched_huge(pages: &mut PageSet, dirty: PageSet) {
    const WORDS: usize = HUGE_PAGE.pages() as usize / u64::BITS as usize;
    let groups = pages.0.chunks_mut(WORDS).zip(dirty.0.chunks(WORDS));
    for (free, dirty) in groups {
        let is_touched = free
            .iter()
            .zip(dirty)
            .any(|(free, dirty)| free & dirty != 0);
        if !is_touched {
            free.fill(0);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_page_goes_whole_if_any_of_it_is_dirty() {
        let (mut free, mut dirty) = (PageSet::default(), PageSet::default());
        free.fill(0, BLOCK_PAGES);
        dirty.fill(700, 1);
        keep_touched_huge(&mut free, dirty);
        assert!(free.runs().eq([(512, 1024)]));
        // What is in use does not count.
        free = PageSet::default();
        free.fill(0, 512);
        keep_touched_huge(&mut free, dirty);
        assert_eq!(free.count(), 0);
    }
}
