//! Giving the memory of free pages back to the kernel: whole 2 MiB first, so that no huge page is
//! broken for little, and what lies in smaller pieces as far as it is much.
//!
//! # Invariant
//!
//! Pages whose memory is being given back are in no free block, and nobody waits for the kernel at the arena's lock.
#![forbid(unsafe_code)]

use super::page_set::PageSet;
use super::purgeable::{HUGE_PAGE, purgeable};
use super::record::Head;
use super::{Arena, State, Use};
use crate::decay::{Budget, Elapsed};
use crate::sys::usdt;
use crate::units::{BLOCK_PAGES, Order, PAGE_SIZE, PageIndex};

const SINGLE: Order = Order::new(0);
/// Minimum pages purged per step, so that decay terminates: 1 MiB.
const LEAST: usize = 256;
/// Dirty pages in pieces below 2 MiB stay as long as they are no more than this share of what is used,
/// or 256 KiB.
const WASTE_SHARE: usize = 64;
const WASTE: usize = 64;
/// Which free blocks are purged, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Those of 2 MiB and more.
    Whole,
    /// All others too.
    Pieces,
}

/// Pages of one pageblock that were taken out of the buddy system to be given back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Release {
    block: PageIndex,
    pages: PageSet,
}

impl Release {
    /// Whether `page` is one of them.
    pub(super) fn has(&self, page: PageIndex) -> bool {
        page.block() == self.block.block() && self.pages.has(page.in_block())
    }

    /// Number of pages.
    pub(super) fn count(&self) -> u32 {
        self.pages.count()
    }

    /// The runs of pages, as first page and length.
    fn runs(&self) -> impl Iterator<Item = (PageIndex, u32)> {
        let block = self.block;
        self.pages
            .runs()
            .map(move |(first, end)| (block.plus(first), end - first))
    }
}

impl Arena {
    /// Decides how many pages go in this round: what was not needed for some time, but for `kept` pages.
    pub(crate) fn begin_decay(&self, elapsed: Elapsed, kept: usize) {
        let mut state = self.state.lock();
        let dirty = self.dirty_pages();
        self.growth.fall(self.touched_pages());
        let excess = state.low.excess(dirty, elapsed, LEAST).max(state.excess);
        state.excess = excess.min(dirty.saturating_sub(kept));
    }

    /// Gives back what the round decided on, but for `kept` pages, from the pageblock below `end` on downwards, which it
    /// lowers, until the budget is spent. Returns the number of pages, and whether the pass is over.
    pub(crate) fn decay(
        &self,
        pass: Pass,
        kept: usize,
        end: &mut usize,
        budget: &mut Budget,
    ) -> (usize, bool) {
        let least = match pass {
            Pass::Whole => HUGE_PAGE,
            Pass::Pieces => SINGLE,
        };
        self.purge_blocks(least, Some(kept), end, budget)
    }

    /// Gives as many free pages back as the arena has grown by, but for `kept` ones, until the budget is spent; `now` is
    /// the time in milliseconds.
    pub(crate) fn make_up_for_growth(&self, now: u64, kept: usize, budget: &mut Budget) {
        // A thread that is already purging does as well.
        let Some(_purging) = self.purging.lock_soon() else {
            return;
        };
        let mut state = self.state.lock();
        let spare = self.dirty_pages().saturating_sub(kept);
        let pages = self.growth.make_up(spare, now);
        state.excess = state.excess.max(pages);
        drop(state);
        let (mut left, mut end) = (pages, usize::MAX);
        while left > 0
            && !budget.is_spent()
            && let Some(gone) = self.purge_next(SINGLE, Some(kept), &mut end, budget)
        {
            left = left.saturating_sub(gone);
        }
        let _state = self.state.lock();
        self.growth.note_gone(pages - left);
    }

    /// Dirty pages that may stay in pieces below 2 MiB.
    pub(crate) fn waste_pages(&self) -> usize {
        let state = self.state.lock();
        let used = state.committed as usize - state.buddy.free_pages() as usize;
        (used / WASTE_SHARE).max(WASTE)
    }

    /// Ends a round: what is left of its decision stays.
    pub(crate) fn end_decay(&self) {
        self.state.lock().excess = 0;
    }

    /// Gives the memory of all free pages back and returns the number of pages.
    pub(crate) fn purge(&self) -> usize {
        let (mut end, mut budget) = (usize::MAX, Budget::unlimited());
        self.purge_blocks(SINGLE, None, &mut end, &mut budget).0
    }

    /// Gives pages of free blocks of at least `order` back, from the highest on: the lowest are used first. With `kept` it
    /// stops when no more than that are dirty, or the excess has gone.
    fn purge_blocks(
        &self,
        least: Order,
        kept: Option<usize>,
        end: &mut usize,
        budget: &mut Budget,
    ) -> (usize, bool) {
        let mut purged = 0;
        while !budget.is_spent() {
            let _purging = self.purging.lock();
            match self.purge_next(least, kept, end, budget) {
                Some(pages) => purged += pages,
                None => return (purged, true),
            }
        }
        (purged, false)
    }

    /// Gives pages of the highest pageblock below `end` back that has any. `None` if there are none, or if the kernel
    /// takes none. The caller holds the lock for purging.
    #[inline(never)]
    fn purge_next(
        &self,
        least: Order,
        kept: Option<usize>,
        end: &mut usize,
        budget: &mut Budget,
    ) -> Option<usize> {
        let (release, dirty) = {
            let mut state = self.state.lock();
            let wanted = match kept {
                Some(kept) => state.excess.min(self.dirty_pages().saturating_sub(kept)),
                None => usize::MAX,
            };
            if wanted == 0 {
                return None;
            }
            let blocks = state.committed.div_ceil(BLOCK_PAGES) as usize;
            let block = self.map.highest_dirty(blocks.min(*end), least)?;
            budget.visit();
            let (pages, is_all) = purgeable(&self.map, block, least, wanted.min(budget.pages()));
            *end = block.block() + usize::from(!is_all);
            if is_all && least == SINGLE {
                self.map.forget_dirty(block);
            }
            let release = Release { block, pages };
            let dirty = self.take_out(&mut state, &release);
            (release, dirty)
        };
        let mut is_done = true;
        for (first, count) in release.runs() {
            // The kernel keeps what is locked into memory, and would refuse the rest too.
            is_done = is_done && self.data.purge(first.offset(), first.plus(count).offset());
            if is_done {
                self.thin(first, count);
            }
            budget.release(0);
        }
        // What is not there costs the kernel next to nothing.
        budget.spend_pages(dirty);
        self.put_back(&release, is_done);
        if !is_done {
            return None;
        }
        usdt::purge(dirty * PAGE_SIZE);
        Some(dirty)
    }

    /// Takes free pages out of the buddy system, as spans that are clean; returns how many were dirty.
    #[inline(never)]
    fn take_out(&self, state: &mut State, release: &Release) -> usize {
        let mut dirty = 0;
        for (first, pages) in release.runs() {
            let is_taken = state.buddy.take_run(&self.map, first, pages);
            debug_assert!(is_taken);
            dirty += self.map.dirty_pages(first, pages) as usize;
            self.map.set_dirty(first, pages, false);
            let used_for = Use::Slab;
            self.map.set_head(first, Some(Head { pages, used_for }));
        }
        state.low.lower(self.add_dirty(-dirty.cast_signed()));
        state.excess = state.excess.saturating_sub(dirty);
        state.release = Some(*release);
        dirty
    }

    /// Puts pages back into the buddy system, which have no memory any more if that `is_done`.
    #[inline(never)]
    fn put_back(&self, release: &Release, is_done: bool) {
        let mut state = self.state.lock();
        state.release = None;
        for (first, pages) in release.runs() {
            self.map.set_head(first, None);
            if !is_done {
                self.map.set_dirty(first, pages, true);
                self.map.note_dirty(first);
                self.add_dirty(pages as isize);
            }
            state.buddy.give_run(&self.map, first, pages);
        }
    }
}
