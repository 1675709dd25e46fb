//! The page map: the state of every committed page, and where free blocks are.
//!
//! # Invariant
//!
//! A pageblock's bit in the summary says whether its record is of that kind and has a free block of that order.
#![forbid(unsafe_code)]

use super::kind::Kind;
use super::record::{BlockRecord, Head};
use super::summary::{Mark, Summary};
use crate::sys::{Region, Table};
use crate::units::{BLOCK_PAGES, ORDERS, Order, PageIndex};

/// The state of an arena's pages.
#[derive(Debug)]
pub(crate) struct PageMap {
    pub(super) records: Table<BlockRecord>,
    pub(super) summary: Summary,
}

impl PageMap {
    /// Bytes to reserve for an arena of `pages`.
    pub(crate) const fn bytes_for(pages: usize) -> usize {
        let blocks = blocks_for(pages);
        Table::<BlockRecord>::bytes_for(blocks) + Summary::bytes_for(blocks)
    }

    /// Of these, the bytes from the start on that are all a usual program needs.
    pub(crate) const fn first_bytes_for(pages: usize) -> usize {
        Table::<BlockRecord>::bytes_for(1) + Summary::bytes_for(blocks_for(pages))
    }

    /// The map of an arena of `pages` in `region`.
    pub(super) fn new(region: Region, pages: usize) -> Self {
        // The beginnings of both lie side by side then, and share a page of the kernel's page table.
        let blocks = blocks_for(pages);
        let (summary, records) = region.split(Summary::bytes_for(blocks));
        Self {
            records: Table::new(records),
            summary: Summary::new(summary, blocks),
        }
    }

    /// Makes room for the first `pages` pages.
    pub(super) fn grow(&self, pages: usize) -> bool {
        let blocks = blocks_for(pages);
        self.records.grow(blocks) && self.summary.grow(blocks)
    }

    /// Gives the address space for pages from `pages` on back.
    pub(super) fn shrink(&self, pages: usize) {
        self.records.shrink(blocks_for(pages));
    }

    /// Whether the pageblock that holds `page` has a record.
    pub(super) fn has_record(&self, page: PageIndex) -> bool {
        page.block() < self.records.ready()
    }

    /// The record of the pageblock that holds `page`.
    pub(super) fn record(&self, page: PageIndex) -> &BlockRecord {
        self.records.get(page.block())
    }

    /// Whether a block of `order` that begins at `page` is free.
    pub(super) fn is_free(&self, page: PageIndex, order: Order) -> bool {
        self.record(page).is_free(page.in_block(), order)
    }

    /// Lists a free block.
    pub(super) fn list(&self, page: PageIndex, order: Order) {
        let record = self.record(page);
        record.set_free(page.in_block(), order);
        self.summary
            .set(page.block(), Mark::Free(record.kind(), order));
    }

    /// Takes a free block off its list.
    pub(super) fn unlist(&self, page: PageIndex, order: Order) {
        let record = self.record(page);
        if !record.clear_free(page.in_block(), order) {
            self.summary
                .clear(page.block(), Mark::Free(record.kind(), order));
        }
    }

    /// Makes the pageblock of `page` one of another kind, with what is free in it.
    pub(super) fn set_kind(&self, page: PageIndex, kind: Kind) {
        let (record, block) = (self.record(page), page.block());
        let before = record.kind();
        record.set_kind(kind);
        for order in (0..ORDERS as u32).map(Order::new) {
            if record.free_blocks(order) > 0 {
                self.summary.clear(block, Mark::Free(before, order));
                self.summary.set(block, Mark::Free(kind, order));
            }
        }
    }

    /// Whether the pageblock of `page` is known as one of that kind with a free block of `order`.
    pub(super) fn is_listed(&self, page: PageIndex, kind: Kind, order: Order) -> bool {
        self.summary.has(page.block(), Mark::Free(kind, order))
    }

    /// The lowest free block of `order` in pageblocks of a kind.
    pub(super) fn lowest(&self, kind: Kind, order: Order) -> Option<PageIndex> {
        let block = self.summary.lowest(Mark::Free(kind, order))?;
        let block = PageIndex(block as u32 * BLOCK_PAGES);
        self.record(block)
            .lowest_free(order)
            .map(|page| block.plus(page))
    }

    /// The free block that holds `page`.
    pub(super) fn free_block_of(&self, page: PageIndex) -> Option<(PageIndex, Order)> {
        let (first, order) = self.record(page).free_block_of(page.in_block())?;
        Some((PageIndex(page.0 - page.in_block() + first), order))
    }

    /// The span that begins at `page`.
    pub(super) fn head(&self, page: PageIndex) -> Option<Head> {
        self.record(page).head(page.in_block())
    }

    /// Records or forgets a span.
    pub(super) fn set_head(&self, page: PageIndex, head: Option<Head>) {
        self.record(page).set_head(page.in_block(), head);
    }

    /// Marks `pages` of one pageblock dirty or clean.
    pub(super) fn set_dirty(&self, first: PageIndex, pages: u32, dirty: bool) {
        self.record(first).set_dirty(first.in_block(), pages, dirty);
    }

    /// How many of `pages`, of one pageblock, may hold something else than zeroes.
    pub(super) fn dirty_pages(&self, first: PageIndex, pages: u32) -> u32 {
        self.record(first).dirty_pages(first.in_block(), pages)
    }

    /// Remembers that the pageblock of `page` has free dirty pages.
    pub(super) fn note_dirty(&self, page: PageIndex) {
        self.summary.set(page.block(), Mark::Dirty);
    }

    /// Forgets that; what can go has gone.
    pub(super) fn forget_dirty(&self, page: PageIndex) {
        self.summary.clear(page.block(), Mark::Dirty);
    }

    /// Whether the pageblock of `page` is remembered to have free dirty pages.
    pub(super) fn is_dirty(&self, page: PageIndex) -> bool {
        self.summary.has(page.block(), Mark::Dirty)
    }

    /// The highest pageblock below the one with the number `end` that may have free dirty pages, and has a free block of
    /// at least the order `least`.
    pub(super) fn highest_dirty(&self, end: usize, least: Order) -> Option<PageIndex> {
        let block = self.summary.highest_dirty(end, least)?;
        Some(PageIndex(block as u32 * BLOCK_PAGES))
    }

    /// Bytes of memory in use.
    pub(super) fn committed_bytes(&self) -> usize {
        self.records.committed_bytes() + self.summary.committed_bytes()
    }
}

const fn blocks_for(pages: usize) -> usize {
    pages.div_ceil(BLOCK_PAGES as usize)
}
