//! Pages that become a span, and what is counted when they do and when they come back.
//!
//! # Invariant
//!
//! All of this runs under the lock on the arena's state, which `take_soon` takes and the others' callers hold.
#![forbid(unsafe_code)]

use super::kind::Kind;
use super::record::Head;
use super::{Arena, Order, PageIndex, Span, State, Use};

impl Arena {
    /// Makes the first `pages` pages of a block a span, and frees the others; `None`, and all of it free again, where there is
    /// no budget for them.
    pub(super) fn lend(
        &self,
        state: &mut State,
        first: PageIndex,
        order: Order,
        pages: u32,
        used_for: Use,
    ) -> Option<Span> {
        if !self.afford(first, pages) {
            state.buddy.give(&self.map, first, order);
            return None;
        }
        state
            .buddy
            .give_run(&self.map, first.plus(pages), order.pages() - pages);
        let zero = self.account_lent(state, first, pages, used_for) == 0;
        self.map.set_head(first, Some(Head { pages, used_for }));
        Some(Span { first, pages, zero })
    }

    /// Accounts pages as lent, and marks them as dirty but for a slab's; returns how many were dirty.
    pub(super) fn account_lent(
        &self,
        state: &mut State,
        first: PageIndex,
        pages: u32,
        used_for: Use,
    ) -> usize {
        let dirty = self.map.dirty_pages(first, pages) as usize;
        if used_for == Use::Large {
            self.map.set_dirty(first, pages, true);
        }
        state.low.lower(self.add_dirty(-dirty.cast_signed()));
        state.excess = state.excess.saturating_sub(dirty);
        self.add_used(pages as isize);
        self.growth.observe(self.touched_pages());
        dirty
    }

    /// Accounts pages as free.
    pub(super) fn account_free(&self, first: PageIndex, pages: u32) {
        self.map.note_dirty(first);
        let dirty = self.add_dirty(self.map.dirty_pages(first, pages) as isize);
        self.add_used(-(pages as isize));
        self.growth.note_free(dirty, self.used_pages());
    }

    /// As [`Self::take`], from what is free, and `None` also where the lock does not become free soon.
    pub(crate) fn take_soon(&self, pages: u32, align: Order, used_for: Use) -> Option<Span> {
        let order = Order::holding(pages).max(align);
        let mut state = self.state.lock_soon()?;
        let kind = Kind::wanted(used_for, state.committed);
        let taken = state.buddy.take(&self.map, order, kind);
        let first = taken.or_else(|| state.buddy.take(&self.map, order, Kind::Any))?;
        let span = self.lend(&mut state, first, order, pages, used_for)?;
        drop(state);
        self.renewed(span)
    }
}
