//! The arena's end: committing beyond it, and giving up what lies at it.
#![forbid(unsafe_code)]

use super::kind::Kind;
use super::{Arena, Head, Span, Use, frontier};
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
        while let Some(count) = self.retreat_once() {
            pages += count;
        }
        pages
    }

    /// The same for a pageblock at most; `None` if there is nothing.
    fn retreat_once(&self) -> Option<usize> {
        let _growing = self.growing.lock();
        let span = self.take_last()?;
        let (start, count) = (span.first, span.pages);
        let end = start.plus(count);
        // The kernel takes its time for memory, not for addresses: nobody waits for it at the lock.
        let is_empty = span.zero || self.data.purge(start.offset(), end.offset());
        let is_done = is_empty && self.data.decommit(start.offset(), end.offset());
        if is_done {
            self.thin(start, count);
        }
        let mut state = self.state.lock();
        self.map.set_head(start, None);
        self.add_used(-(count as isize));
        if is_done {
            state.frontier = start.0;
            return Some(count as usize);
        }
        if !is_empty {
            self.map.set_dirty(start, count, true);
            self.map.note_dirty(start);
            self.add_dirty(count as isize);
        }
        state.buddy.give_run(&self.map, start, count);
        None
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
        let _growing = self.growing.lock();
        let frontier = PageIndex(self.state.lock().frontier).offset();
        let kept = frontier.next_multiple_of(BLOCK_SIZE);
        if kept >= self.bytes() {
            return false;
        }
        let cut = self.data.cut(kept);
        self.map.cut(kept / PAGE_SIZE);
        cut
    }

    /// Commits memory until a block of `order` is free for that use. `None` where there is none; who comes back with `Some` may find
    /// that another thread was faster.
    pub(super) fn extend(&self, order: Order, used_for: Use) -> Option<()> {
        let _growing = self.growing.lock();
        let frontier = {
            let state = self.state.lock();
            let kind = Kind::wanted(used_for, state.frontier);
            if state.buddy.has(&self.map, order, kind) {
                return Some(());
            }
            state.frontier
        };
        if self.extend_from(frontier, order).is_some() {
            return Some(());
        }
        // What goes back to the kernel at this moment comes back.
        drop(self.purging.lock());
        let state = self.state.lock();
        let kind = Kind::wanted(used_for, state.frontier);
        state.buddy.has(&self.map, order, kind).then_some(())
    }

    fn extend_from(&self, frontier: u32, order: Order) -> Option<()> {
        let limit = (self.data.most() / PAGE_SIZE) as u32;
        let needed = frontier::needed(frontier, limit, order)?;
        let wanted = frontier::wanted(frontier, limit, needed);
        if is_time_to_look(frontier, wanted) && sys::has_too_many_addresses() {
            return None;
        }
        let reached = [wanted, needed]
            .into_iter()
            .find(|end| self.commit(frontier, *end))?;
        self.advance(frontier, reached);
        Some(())
    }

    /// Moves the frontier to `end` or beyond, if it is not there yet.
    pub(super) fn reach(&self, end: u32) -> bool {
        let _growing = self.growing.lock();
        let frontier = self.state.lock().frontier;
        if end <= frontier {
            return true;
        }
        // It is no loss if what lies between turns out not to be free.
        let needed = end.next_multiple_of(GRANULE_PAGES);
        let limit = (self.data.most() / PAGE_SIZE) as u32;
        let is_near = needed <= limit && needed - frontier <= BLOCK_PAGES;
        if !is_near
            || is_time_to_look(frontier, needed) && sys::has_too_many_addresses()
            || !self.commit(frontier, needed)
        {
            return false;
        }
        self.advance(frontier, needed);
        true
    }

    /// Frees the pages from `start` to `end`, which were committed.
    fn advance(&self, start: u32, end: u32) {
        let mut state = self.state.lock();
        state.frontier = end;
        let mut page = PageIndex(start);
        while page.0 < end {
            let count = (BLOCK_PAGES - page.in_block()).min(end - page.0);
            state.buddy.enter(&self.map, page);
            state.buddy.give_run(&self.map, page, count);
            page = page.plus(count);
        }
    }

    /// Commits the pages from `start` to `end`; the caller lets nobody else move the frontier.
    fn commit(&self, start: u32, end: u32) -> bool {
        let (start, offset) = (PageIndex(start).offset(), PageIndex(end).offset());
        self.map.grow(end as usize) && self.data.commit(start, offset)
    }
}

/// Returns `true` if a commitment from `start` to `end` is one at which the limit on address space is looked at.
fn is_time_to_look(start: u32, end: u32) -> bool {
    start / LOOK_PAGES != end / LOOK_PAGES
}
