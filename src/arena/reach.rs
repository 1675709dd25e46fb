//! The arena's end: committing beyond it, and giving up what lies at it.
#![forbid(unsafe_code)]

use super::{Arena, State, frontier};
use crate::units::{BLOCK_PAGES, BLOCK_SIZE, GRANULE_PAGES, Order, PAGE_SIZE, PageIndex};

impl Arena {
    /// Gives back the commitment of what is free at the frontier. For a process that runs into its
    /// limits.
    pub(crate) fn retreat(&self) {
        let mut state = self.state.lock();
        let end = PageIndex(state.frontier);
        let mut start = end;
        while let Some((block, _)) = start
            .0
            .checked_sub(1)
            .and_then(|last| self.map.free_block_of(PageIndex(last)))
        {
            start = block;
        }
        start = PageIndex(start.0.next_multiple_of(GRANULE_PAGES)).min(end);
        if start < end && self.data.decommit(start.offset(), end.offset()) {
            let gone = state.buddy.forget(&self.map, start, end);
            state.low.note(self.add_dirty(-gone.cast_signed()));
            state.frontier = start.0;
        }
    }

    /// Bytes of address space beyond the frontier.
    pub(crate) fn unused_bytes(&self) -> usize {
        let state = self.state.lock();
        self.bytes() - PageIndex(state.frontier).offset()
    }

    /// Gives half of the address space beyond the frontier back; whether there was any. It is taken
    /// again when it is needed and free.
    pub(crate) fn cut(&self) -> bool {
        let state = self.state.lock();
        let frontier = PageIndex(state.frontier).offset();
        let kept = (frontier + (self.bytes() - frontier) / 2).next_multiple_of(BLOCK_SIZE);
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
        if !is_near || !self.commit(frontier.0, needed) {
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
