//! Committing pages at the arena's end, and decommitting what is free there.
#![forbid(unsafe_code)]

use super::kind::{Kind, is_apart};
use super::{Arena, Head, Span, Use};
use crate::sys;
use crate::units::{BLOCK_PAGES, BLOCK_SIZE, GRANULE_PAGES, Order, PAGE_SIZE, PageIndex};

/// The process's limit on address space is looked at each time that this many pages were committed, of which the first are
/// part of every program: asking takes as long as ten page faults.
const ASK_PAGES: u32 = 2 * BLOCK_PAGES;
/// The least that is committed at once: a tiny program stays tiny under `mlockall` and strict
/// overcommit.
const FIRST_STEP_PAGES: u32 = BLOCK_PAGES / 4;
/// The most: 8 MiB are 2,048 page faults, beside which the system calls do not count.
const LAST_STEP_PAGES: u32 = 2 * BLOCK_PAGES;
/// In between, an eighth of what there is.
const STEP_SHARE: u32 = 8;

impl Arena {
    /// Gives back the commitment of what is free at the committed end, for a process that runs into its limits. Returns the
    /// number of pages.
    pub(crate) fn decommit_end(&self) -> usize {
        let mut pages = 0;
        while let Some(count) = self.decommit_last() {
            pages += count;
        }
        pages
    }

    /// The same for a pageblock at most; `None` if there is nothing.
    fn decommit_last(&self) -> Option<usize> {
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
            state.committed = start.0;
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

    /// Takes the free pages at the committed end, at most a pageblock; `zero` if none of them has memory.
    fn take_last(&self) -> Option<Span> {
        let mut state = self.state.lock();
        let end = PageIndex(state.committed);
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
        state.low.lower(self.add_dirty(-dirty.cast_signed()));
        state.excess = state.excess.min(self.dirty_pages());
        self.add_used(pages as isize);
        let used_for = Use::Slab;
        self.map.set_head(start, Some(Head { pages, used_for }));
        Some(Span {
            first: start,
            pages,
            zero: dirty == 0,
        })
    }

    /// Bytes of address space beyond the committed end.
    pub(crate) fn unused_bytes(&self) -> usize {
        let state = self.state.lock();
        self.bytes() - PageIndex(state.committed).offset()
    }

    /// Gives the address space beyond the last committed pageblock back and returns `true` if there was any. It is taken
    /// again when it is needed and free.
    pub(crate) fn shrink(&self) -> bool {
        let _growing = self.growing.lock();
        let committed = PageIndex(self.state.lock().committed).offset();
        let kept = committed.next_multiple_of(BLOCK_SIZE);
        if kept >= self.bytes() {
            return false;
        }
        let is_shrunk = self.data.shrink(kept);
        self.map.shrink(kept / PAGE_SIZE);
        is_shrunk
    }

    /// Commits memory until a block of `order` is free for that use. `None` where there is none; who comes back with `Some` may find
    /// that another thread was faster.
    pub(super) fn extend(&self, order: Order, used_for: Use) -> Option<()> {
        let _growing = self.growing.lock();
        let committed = {
            let state = self.state.lock();
            let kind = Kind::wanted(used_for, state.committed);
            if state.buddy.has(&self.map, order, kind) {
                return Some(());
            }
            state.committed
        };
        if self.extend_from(committed, order).is_some() {
            return Some(());
        }
        // What goes back to the kernel at this moment comes back.
        drop(self.purging.lock());
        let state = self.state.lock();
        let kind = Kind::wanted(used_for, state.committed);
        state.buddy.has(&self.map, order, kind).then_some(())
    }

    fn extend_from(&self, committed: u32, order: Order) -> Option<()> {
        let limit = (self.data.most() / PAGE_SIZE) as u32;
        let needed = needed_end(committed, limit, order)?;
        let wanted = wanted_end(committed, limit, needed);
        if is_time_to_ask(committed, wanted) && sys::has_too_many_addresses() {
            return None;
        }
        let reached = [wanted, needed]
            .into_iter()
            .find(|end| self.commit(committed, *end))?;
        self.advance(committed, reached);
        Some(())
    }

    /// Commits pages up to `end`, if they are not committed yet.
    pub(super) fn commit_to(&self, end: u32) -> bool {
        let _growing = self.growing.lock();
        let committed = self.state.lock().committed;
        if end <= committed {
            return true;
        }
        // It is no loss if what lies between turns out not to be free.
        let needed = end.next_multiple_of(GRANULE_PAGES);
        let limit = (self.data.most() / PAGE_SIZE) as u32;
        let is_near = needed <= limit && needed - committed <= BLOCK_PAGES;
        if !is_near
            || is_time_to_ask(committed, needed) && sys::has_too_many_addresses()
            || !self.commit(committed, needed)
        {
            return false;
        }
        self.advance(committed, needed);
        true
    }

    /// Frees the pages from `start` to `end`, which were committed.
    fn advance(&self, start: u32, end: u32) {
        let mut state = self.state.lock();
        state.committed = end;
        let mut page = PageIndex(start);
        while page.0 < end {
            let count = (BLOCK_PAGES - page.in_block()).min(end - page.0);
            state.buddy.enter(&self.map, page);
            state.buddy.give_run(&self.map, page, count);
            page = page.plus(count);
        }
    }

    /// Commits the pages from `start` to `end`; the caller holds `growing`.
    fn commit(&self, start: u32, end: u32) -> bool {
        let (start, offset) = (PageIndex(start).offset(), PageIndex(end).offset());
        self.map.grow(end as usize) && self.data.commit(start, offset)
    }
}

/// Returns `true` if a commitment from `start` to `end` is one at which the limit on address space is looked at.
fn is_time_to_ask(start: u32, end: u32) -> bool {
    start / ASK_PAGES != end / ASK_PAGES
}

/// The committed end, in pages, at which a block of `order` is free; `None` beyond `limit`.
fn needed_end(committed: u32, limit: u32, order: Order) -> Option<u32> {
    let start = committed.checked_next_multiple_of(order.pages())?;
    let end = start
        .checked_add(order.pages())?
        .checked_next_multiple_of(GRANULE_PAGES)?;
    (end <= limit).then_some(end)
}

/// The committed end to aim for, at least `needed`.
fn wanted_end(committed: u32, limit: u32, needed: u32) -> u32 {
    let step = (committed / STEP_SHARE).clamp(FIRST_STEP_PAGES, LAST_STEP_PAGES);
    let aim = committed.saturating_add(step) / GRANULE_PAGES * GRANULE_PAGES;
    let aim = match is_apart(aim) {
        true => aim.next_multiple_of(BLOCK_PAGES),
        false => aim,
    };
    aim.max(needed).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_lies_whole_in_what_is_committed() {
        assert_eq!(needed_end(0, 64, Order::new(4)), Some(16));
        assert_eq!(needed_end(16, 64, Order::new(5)), Some(64));
        assert_eq!(needed_end(48, 64, Order::new(5)), None);
        assert_eq!(needed_end(0, 64, Order::new(0)), Some(16));
        assert_eq!(needed_end(u32::MAX - 15, u32::MAX, Order::new(10)), None);
    }

    #[test]
    fn steps_grow_with_the_arena_and_end_at_its_limit() {
        assert_eq!(wanted_end(0, 1 << 24, 16), 256);
        assert_eq!(wanted_end(16_384, 1 << 24, 16_400), 16_384 + 2_048);
        assert_eq!(wanted_end(0, 64, 16), 64);
        assert_eq!(wanted_end(0, 1 << 24, 1_024), 1_024);
    }
}
