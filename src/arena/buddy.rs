//! The buddy system: an arena's free blocks, by order.
//!
//! # Invariant
//!
//! Free buddies never coexist: `give` joins them at once. A free page therefore belongs to
//! exactly one listed block, the largest it can be part of.
#![forbid(unsafe_code)]

use super::kind::{KINDS, Kind};
use super::page_map::PageMap;
use crate::report::{check, internal_error};
use crate::units::{MAX_ORDER, ORDERS, Order, PageIndex};

/// The free blocks of one arena, counted; where they are stands in the page map.
#[derive(Debug, Default)]
pub(super) struct Buddy {
    /// By the kind of their pageblocks.
    pub(super) free_blocks: [[u32; ORDERS]; KINDS],
}

/// A pageblock.
const WHOLE: Order = Order::new(MAX_ORDER as u32);
/// Where half of a pageblock is free, another kind may take it over.
const HALF: Order = Order::new(MAX_ORDER as u32 - 1);

impl Buddy {
    /// Takes a block of `order` for `kind`: of the smallest free blocks that hold it in pageblocks of that kind, the lowest;
    /// else one of a pageblock for anything, or of one that is taken over.
    pub(super) fn take(&mut self, map: &PageMap, order: Order, kind: Kind) -> Option<PageIndex> {
        let (page, mut found) = self.find(map, order, kind)?;
        if found >= HALF && kind != Kind::Any {
            self.take_over(map, page, kind);
        }
        self.unlist(map, page, found);
        while found > order {
            found = Order::new(found.index() as u32 - 1);
            self.list(map, page.plus(found.pages()), found);
        }
        Some(page)
    }

    /// The free block to take one of `order` for `kind` from.
    fn find(&self, map: &PageMap, order: Order, kind: Kind) -> Option<(PageIndex, Order)> {
        let smallest = |least: Order, kinds: &[Kind]| {
            sizes(least).find_map(|size| {
                let mut kinds = kinds.iter().filter(|kind| self.count(**kind, size) > 0);
                Some((map.lowest(*kinds.next()?, size)?, size))
            })
        };
        if kind == Kind::Any {
            return smallest(order, &Kind::ALL);
        }
        // A half without memory is no better than fresh pages.
        let is_worth_it =
            |found: &(PageIndex, Order)| map.dirty_pages(found.0, HALF.pages()) > HALF.pages() / 2;
        smallest(order, &[kind])
            .or_else(|| smallest(order, &[Kind::Any]).filter(|found| found.1 < WHOLE))
            .or_else(|| smallest(order.max(HALF), &Kind::ALL).filter(is_worth_it))
            .or_else(|| smallest(WHOLE, &[Kind::Slabs, Kind::Large, Kind::Any]))
    }

    /// Makes the pageblock of `page` one of `kind`.
    fn take_over(&mut self, map: &PageMap, page: PageIndex, kind: Kind) {
        let record = map.record(page);
        let before = record.kind();
        for order in sizes(Order::new(0)) {
            let count = record.free_blocks(order);
            *self.counter(before, order) -= count;
            *self.counter(kind, order) += count;
        }
        map.set_kind(page, kind);
    }

    /// Whether there is a block of `order` to take for `kind`.
    pub(super) fn has(&self, map: &PageMap, order: Order, kind: Kind) -> bool {
        self.find(map, order, kind).is_some()
    }

    /// Fresh pages from `page` on: its pageblock is for anything, if it begins there.
    pub(super) fn enter(&mut self, map: &PageMap, page: PageIndex) {
        if page.in_block() == 0 {
            self.take_over(map, page, Kind::Any);
            map.record(page).density.forget();
        }
    }

    /// Gives a block back and joins it with its buddy as long as that is free.
    pub(super) fn give(&mut self, map: &PageMap, mut page: PageIndex, mut order: Order) {
        while let Some(larger) = order.up() {
            let buddy = PageIndex(page.0 ^ order.pages());
            if !map.is_free(buddy, order) {
                break;
            }
            self.unlist(map, buddy, order);
            page = PageIndex(page.0 & !order.pages());
            order = larger;
        }
        self.list(map, page, order);
    }

    /// Gives any run of pages back, cut into the largest blocks it can be.
    pub(super) fn give_run(&mut self, map: &PageMap, mut first: PageIndex, mut pages: u32) {
        while pages > 0 {
            let order = Order::fitting(first, pages);
            self.give(map, first, order);
            first = first.plus(order.pages());
            pages -= order.pages();
        }
    }

    /// Takes exactly the `pages` pages from `first` on, which lie in one pageblock; all or nothing.
    pub(super) fn take_run(&mut self, map: &PageMap, first: PageIndex, pages: u32) -> bool {
        let end = first.plus(pages);
        let mut page = first;
        while page < end {
            let Some((block, order)) = map.free_block_of(page) else {
                return false;
            };
            page = block.plus(order.pages());
        }
        let mut page = first;
        while page < end {
            let Some((block, order)) = map.free_block_of(page) else {
                return false;
            };
            self.unlist(map, block, order);
            let block_end = block.plus(order.pages());
            // At a span's end the first block begins there; only the last may be too long.
            self.give_run(map, block, page.0 - block.0);
            self.give_run(map, end, block_end.0.saturating_sub(end.0));
            page = block_end;
        }
        true
    }

    /// Takes the free pages from `start` to `end` out for good; their memory is gone. How many of them
    /// were dirty.
    pub(super) fn forget(&mut self, map: &PageMap, start: PageIndex, end: PageIndex) -> usize {
        let (mut page, mut dirty) = (start, 0);
        while page < end {
            let Some((block, order)) = map.free_block_of(page) else {
                break;
            };
            self.unlist(map, block, order);
            self.give_run(map, block, page.0 - block.0);
            let block_end = block.plus(order.pages());
            dirty += map.dirty_pages(page, block_end.0 - page.0) as usize;
            map.set_dirty(page, block_end.0 - page.0, false);
            page = block_end;
        }
        dirty
    }

    /// Number of free blocks of each order, the columns of `/proc/buddyinfo`.
    pub(super) fn free_blocks(&self) -> [u32; ORDERS] {
        let column = |order: usize| {
            let counts = self.free_blocks.iter().filter_map(|row| row.get(order));
            counts.sum()
        };
        core::array::from_fn(column)
    }

    /// Free pages.
    pub(super) fn free_pages(&self) -> u64 {
        (0..)
            .zip(self.free_blocks())
            .map(|(order, count)| u64::from(count) << order as u32)
            .sum()
    }

    fn count(&self, kind: Kind, order: Order) -> u32 {
        let row = self.free_blocks.get(kind.index());
        row.and_then(|row| row.get(order.index()))
            .copied()
            .unwrap_or_default()
    }

    fn counter(&mut self, kind: Kind, order: Order) -> &mut u32 {
        let row = self.free_blocks.get_mut(kind.index());
        match row.and_then(|row| row.get_mut(order.index())) {
            Some(count) => count,
            None => internal_error("no such order"),
        }
    }

    fn list(&mut self, map: &PageMap, page: PageIndex, order: Order) {
        map.list(page, order);
        *self.counter(map.record(page).kind(), order) += 1;
    }

    fn unlist(&mut self, map: &PageMap, page: PageIndex, order: Order) {
        map.unlist(page, order);
        *self.counter(map.record(page).kind(), order) -= 1;
    }

    /// Checks the counts and the invariant against the map of the first `pages` pages.
    pub(super) fn validate(&self, map: &PageMap, pages: u32) {
        let mut counted = Self::default();
        let mut page = PageIndex(0);
        while page.0 < pages {
            let Some((first, order)) = map.free_block_of(page) else {
                page = page.plus(1);
                continue;
            };
            check(first == page, "a free block begins inside another");
            let kind = map.record(page).kind();
            *counted.counter(kind, order) += 1;
            check(
                map.is_listed(page, kind, order),
                "a free block is not listed",
            );
            let buddy = PageIndex(page.0 ^ order.pages());
            let joined = order.index() == MAX_ORDER || !map.is_free(buddy, order);
            check(joined, "free buddies coexist");
            page = page.plus(order.pages());
        }
        check(
            counted.free_blocks == self.free_blocks,
            "free blocks are miscounted",
        );
    }
}

/// The orders from `least` on.
fn sizes(least: Order) -> impl DoubleEndedIterator<Item = Order> {
    (least.index()..ORDERS).map(|order| Order::new(order as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Region;

    fn world(pages: u32) -> (Buddy, PageMap) {
        let bytes = PageMap::bytes_for(pages as usize);
        let map = PageMap::new(Region::reserve(bytes, 0, 1 << 16).unwrap(), pages as usize);
        assert!(map.grow(pages as usize));
        let mut buddy = Buddy::default();
        buddy.give_run(&map, PageIndex(0), pages);
        buddy.validate(&map, pages);
        (buddy, map)
    }

    #[test]
    fn what_is_split_grows_back() {
        let (mut buddy, map) = world(1024);
        let first = buddy.take(&map, Order::new(0), Kind::Any).unwrap();
        let second = buddy.take(&map, Order::new(0), Kind::Any).unwrap();
        assert_eq!((first, second), (PageIndex(0), PageIndex(1)));
        assert_eq!(buddy.free_blocks(), [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
        buddy.give(&map, first, Order::new(0));
        buddy.give(&map, second, Order::new(0));
        assert_eq!(buddy.free_blocks(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        buddy.validate(&map, 1024);
    }

    #[test]
    fn the_lowest_of_the_smallest_that_fit_is_taken() {
        let (mut buddy, map) = world(64);
        let blocks = [0, 8, 16, 24].map(|_| buddy.take(&map, Order::new(3), Kind::Any).unwrap());
        assert_eq!(blocks, [0, 8, 16, 24].map(PageIndex));
        buddy.give(&map, blocks[3], Order::new(3));
        buddy.give(&map, blocks[0], Order::new(3));
        assert_eq!(
            buddy.take(&map, Order::new(2), Kind::Any),
            Some(PageIndex(0))
        );
        assert_eq!(
            buddy.take(&map, Order::new(3), Kind::Any),
            Some(PageIndex(24))
        );
        buddy.validate(&map, 64);
    }

    #[test]
    fn a_run_is_taken_whole_or_not_at_all() {
        let (mut buddy, map) = world(64);
        assert!(buddy.take_run(&map, PageIndex(5), 9));
        assert!(!buddy.take_run(&map, PageIndex(13), 2));
        buddy.validate(&map, 64);
        assert!(buddy.take_run(&map, PageIndex(14), 50));
        assert_eq!(buddy.free_pages(), 5);
        buddy.give_run(&map, PageIndex(5), 59);
        assert_eq!(buddy.free_blocks()[6], 1);
        buddy.validate(&map, 64);
    }

    #[test]
    fn blocks_never_join_beyond_four_mebibytes() {
        let (buddy, map) = world(4096);
        assert_eq!(buddy.free_blocks()[MAX_ORDER], 4);
        buddy.validate(&map, 4096);
    }
}
