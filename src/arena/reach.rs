//! The arena's end: committing beyond it, and giving up what lies at it.
#![forbid(unsafe_code)]

use super::{Arena, Head, Span, State, Use, frontier};
use crate::sys;
use crate::units::{BLOCK_PAGES, BLOCK_SIZE, GRANULE_PAGES, Order, PAGE_SIZE, PageIndex};

/// The process's limit on address space is looked at whenever so many pages were committed, of which the first are
/// part of every program: asking takes as long as ten page faults.
const LOOK_PAGES: u32 = 2 * BLOCK_PAGES;

impl Arena {
    /// Gives back the commitment of what is free at the frontier, for a process that runs into its limits. Returns the
    /// number of pages.
    pub(crate) fn retreat(&self) -> usize {
        let mut pages = 0;
        while let Some(span) = self.take_last() {
            let (start, count) = (span.first, span.pages);
            let end = start.plus(count);
            // The kernel takes its time for memory, not for addresses: nobody waits for it at the lock.
            let is_empty = span.zero || self.data.purge(start.offset(), end.offset());
            let mut state = self.state.lock();
            self.map.set_head(start, None);
            self.add_used(-(count as isize));
            if state.frontier == end.0
                && is_empty
                && self.data.decommit(start.offset(), end.offset())
            {
                state.frontier = start.0;
                pages += count as usize;
                continue;
            }
            if !is_empty {
                self.map.set_dirty(start, count, true);
                self.add_dirty(count as isize);
            }
            state.buddy.give_run(&self.map, start, count);
            break;
        }
        pages
    }

    /// Takes the free pages at the frontier, at most a pageblock; `zero` if none of them has memory.
    fn take_last(&self) -> Option<Span> {
        let mut state = self.state.lock();
        let end = PageIndex(state.frontier);
        let last = PageIndex(end.0.checked_sub(1)?);
        let least = last.0 / BLOCK_PAGES * BLOCK_PAGES;
        let mut start = end;
        while start.0 > least
            && let Some((block, _)) = self.map.free_block_of(PageIndex(start.0 - 1))
        {
            start = block;
        }
        start = PageIndex(start.0.next_multiple_of(GRANULE_PAGES));
        if start >= end {
            return None;
        }
        let pages = end.0 - start.0;
        let dirty = state.buddy.forget(&self.map, start, end);
        state.low.note(self.add_dirty(-dirty.cast_signed()));
        state.owed = state.owed.min(self.dirty_pages());
        self.add_used(pages as isize);
        let used_for = Use::Slab;
        self.map.set_head(start, Some(Head { pages, used_for }));
        Some(Span {
            first: start,
            pages,
            zero: dirty == 0,
        })
    }

    /// Bytes of address space beyond the frontier.
    pub(crate) fn unused_bytes(&self) -> usize {
        let state = self.state.lock();
        self.bytes() - PageIndex(state.frontier).offset()
    }

    /// Gives the address space beyond the frontier's pageblock back and returns `true` if there was any. It is taken
    /// again when it is needed and free.
    pub(crate) fn cut(&self) -> bool {
        let state = self.state.lock();
        let frontier = PageIndex(state.frontier).offset();
        let kept = frontier.next_multiple_of(BLOCK_SIZE);
        if kept >= self.bytes() {
            return false;
        }
        let cut = self.data.cut(kept);
        self.map.cut(kept / PAGE_SIZE);
        cut
    }

    /// Commits memory until a block of `order` is free.
    pub(super) fn extend(&self, state: &mut State, order: Order) -> Option<()> {
        let limit = (self.data.most() / PAGE_SIZE) as u32;
        let needed = frontier::needed(state.frontier, limit, order)?;
        let wanted = frontier::wanted(state.frontier, limit, needed);
        if is_time_to_look(state.frontier, wanted) && sys::has_too_many_addresses() {
            return None;
        }
        let reached = [wanted, needed]
            .into_iter()
            .find(|end| self.commit(state.frontier, *end))?;
        let first = PageIndex(state.frontier);
        let pages = reached - state.frontier;
        state.frontier = reached;
        state.buddy.give_run(&self.map, first, pages);
        Some(())
    }

    /// Moves the frontier to `end` or beyond, if it is not there yet.
    pub(super) fn reach(&self, state: &mut State, end: u32) -> bool {
        let frontier = PageIndex(state.frontier);
        if end <= frontier.0 {
            return true;
        }
        // It is no loss if what lies between turns out not to be free.
        let needed = end.next_multiple_of(GRANULE_PAGES);
        let limit = (self.data.most() / PAGE_SIZE) as u32;
        let is_near = needed <= limit && needed - frontier.0 <= BLOCK_PAGES;
        if !is_near
            || is_time_to_look(frontier.0, needed) && sys::has_too_many_addresses()
            || !self.commit(frontier.0, needed)
        {
            return false;
        }
        state.frontier = needed;
        state
            .buddy
            .give_run(&self.map, frontier, needed - frontier.0);
        true
    }

    fn commit(&self, start: u32, end: u32) -> bool {
        let (start, offset) = (PageIndex(start).offset(), PageIndex(end).offset());
        self.map.grow(end as usize) && self.data.commit(start, offset)
    }
}

/// Returns `true` if a commitment from `start` to `end` is one at which the limit on address space is looked at.
fn is_time_to_look(start: u32, end: u32) -> bool {
    start / LOOK_PAGES != end / LOOK_PAGES
}
