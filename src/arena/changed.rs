//! Pages to which the program gave other properties, by mprotect(2), mlock(2), madvise(2) and the like. They stay with the
//! addresses, so such pages are replaced by fresh ones when their span comes back or goes out.
//!
//! # Invariant
//!
//! A mark is set without a lock, by the caller; it goes when the page was replaced.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::{Arena, Head, Span, Use};
use crate::units::{BLOCK_PAGES, PAGE_SIZE, PageIndex};

impl Arena {
    /// Records that the program changes the properties of what lies between two addresses; returns whether any of it is the
    /// arena's.
    pub(crate) fn note_changed(&self, start: usize, end: usize) -> bool {
        let (base, bytes) = (self.base(), self.bytes());
        let (start, end) = (start.max(base), end.min(base + bytes));
        if start >= end {
            return false;
        }
        // ORDERING: relaxed; the block's owner makes the call, and frees it later.
        self.has_changed.store(true, Relaxed);
        let mut page = PageIndex(((start - base) / PAGE_SIZE) as u32);
        let end = PageIndex((end - base).div_ceil(PAGE_SIZE) as u32);
        while page.0 < end.0 && self.map.has_record(page) {
            let next = (page.0 - page.in_block() + BLOCK_PAGES).min(end.0);
            let last = page.in_block() + (next - page.0);
            self.map
                .record(page)
                .set_changed(page.in_block(), last, true);
            page = PageIndex(next);
        }
        true
    }

    /// Whether any of these pages of one pageblock is marked.
    pub(super) fn is_changed(&self, first: PageIndex, pages: u32) -> bool {
        // ORDERING: relaxed, as above.
        self.has_changed.load(Relaxed) && {
            let start = first.in_block();
            self.map.record(first).is_changed(start, start + pages)
        }
    }

    /// Whether any page was ever marked.
    pub(crate) fn has_changed(&self) -> bool {
        // ORDERING: relaxed, as above.
        self.has_changed.load(Relaxed)
    }

    /// A span that was taken, with fresh pages if any of it is marked; `None` if that cannot be.
    pub(super) fn renewed(&self, span: Span) -> Option<Span> {
        if !self.is_changed(span.first, span.pages) {
            return Some(span);
        }
        let zero = true;
        self.renew(span.first, span.pages)
            .then_some(Span { zero, ..span })
    }

    /// Replaces the pages of a span by fresh ones, with no lock held. Where the kernel refuses, since they are sealed, the
    /// span serves nobody any more.
    #[cold]
    pub(super) fn renew(&self, first: PageIndex, pages: u32) -> bool {
        let end = first.plus(pages);
        if !self.data.renew(first.offset(), end.offset()) {
            self.lose(first, pages);
            return false;
        }
        let start = first.in_block();
        self.map
            .record(first)
            .set_changed(start, start + pages, false);
        true
    }

    /// Leaves a span that serves nobody any more to itself.
    fn lose(&self, first: PageIndex, pages: u32) {
        let _state = self.state.lock();
        let used_for = Use::Slab;
        self.map.set_head(first, Some(Head { pages, used_for }));
        // ORDERING: relaxed, a number for statistics.
        self.lost_pages.fetch_add(pages as usize, Relaxed);
    }

    /// Bytes of blocks that were sealed and freed.
    pub(crate) fn lost_bytes(&self) -> usize {
        // ORDERING: relaxed, as above.
        self.lost_pages.load(Relaxed) * PAGE_SIZE
    }
}
