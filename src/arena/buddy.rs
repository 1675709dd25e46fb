//! The buddy system: an arena's free blocks, by order.
//!
//! # Invariant
//!
//! Free buddies never coexist: `give` joins them at once. A free page therefore belongs to
//! exactly one listed block, the largest it can be part of.
#![forbid(unsafe_code)]

use super::page_map::PageMap;
use crate::report::check;
use crate::units::{MAX_ORDER, ORDERS, Order, PageIndex};

/// The free blocks of one arena, counted; where they are stands in the page map.
#[derive(Debug, Default)]
pub(super) struct Buddy {
    free_blocks: [u32; ORDERS],
}

impl Buddy {
    /// Takes a block of `order`: of the smallest free blocks that hold it, the lowest.
    pub(super) fn take(&mut self, map: &PageMap, order: Order) -> Option<PageIndex> {
        let sizes = (order.index()..ORDERS).map(|order| Order::new(order as u32));
        let mut found = sizes.into_iter().find(|order| self.count(*order) > 0)?;
        let page = map.lowest(found)?;
        self.unlist(map, page, found);
        while found > order {
            found = Order::new(found.index() as u32 - 1);
            self.list(map, page.plus(found.pages()), found);
        }
        Some(page)
    }

    /// Whether there is a free block of `order` or more.
    pub(super) fn has(&self, order: Order) -> bool {
        self.free_blocks
            .iter()
            .skip(order.index())
            .any(|count| *count > 0)
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
            // Behind a span's end the first block begins there; only the last may be too long.
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
        self.free_blocks
    }

    /// Free pages.
    pub(super) fn free_pages(&self) -> u64 {
        (0..)
            .zip(self.free_blocks)
            .map(|(order, count)| u64::from(count) << order as u32)
            .sum()
    }

    fn count(&self, order: Order) -> u32 {
        self.free_blocks
            .get(order.index())
            .copied()
            .unwrap_or_default()
    }

    fn list(&mut self, map: &PageMap, page: PageIndex, order: Order) {
        map.list(page, order);
        if let Some(count) = self.free_blocks.get_mut(order.index()) {
            *count += 1;
        }
    }

    fn unlist(&mut self, map: &PageMap, page: PageIndex, order: Order) {
        map.unlist(page, order);
        if let Some(count) = self.free_blocks.get_mut(order.index()) {
            *count -= 1;
        }
    }

    /// Checks the counts and the invariant against the map of the first `pages` pages.
    pub(super) fn validate(&self, map: &PageMap, pages: u32) {
        let mut counted = [0_u32; ORDERS];
        let mut page = PageIndex(0);
        while page.0 < pages {
            let Some((first, order)) = map.free_block_of(page) else {
                page = page.plus(1);
                continue;
            };
            check(first == page, "a free block begins inside another");
            counted
                .iter_mut()
                .skip(order.index())
                .take(1)
                .for_each(|count| *count += 1);
            let buddy = PageIndex(page.0 ^ order.pages());
            let joined = order.index() == MAX_ORDER || !map.is_free(buddy, order);
            check(joined, "free buddies coexist");
            page = page.plus(order.pages());
        }
        check(counted == self.free_blocks, "free blocks are miscounted");
    }
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
        let first = buddy.take(&map, Order::new(0)).unwrap();
        let second = buddy.take(&map, Order::new(0)).unwrap();
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
        let blocks = [0, 8, 16, 24].map(|_| buddy.take(&map, Order::new(3)).unwrap());
        assert_eq!(blocks, [0, 8, 16, 24].map(PageIndex));
        buddy.give(&map, blocks[3], Order::new(3));
        buddy.give(&map, blocks[0], Order::new(3));
        assert_eq!(buddy.take(&map, Order::new(2)), Some(PageIndex(0)));
        assert_eq!(buddy.take(&map, Order::new(3)), Some(PageIndex(24)));
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
