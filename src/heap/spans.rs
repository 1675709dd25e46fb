//! Spans that have a class: their way back, and how they change their size.
//!
//! # Invariant
//!
//! The class map has the class of a span at its first granule, and nothing at its others, as long as its pages are out of
//! the arena. Pages to which the program gave other properties lose their class: the arena replaces them then.
#![forbid(unsafe_code)]

use super::violations::violation_of;
use super::{Heap, Node};
use crate::report::{Context, Violation, report_violation};
use crate::slab::class;
use crate::sys::usdt;
use crate::units::{BLOCK_SIZE, ClassId, GRANULE_SIZE, GranuleIndex, PageIndex};

impl Heap {
    /// Takes back the span of class `id` at `address`.
    pub(super) fn give_span(&self, node: &Node, id: ClassId, address: usize) {
        let page = PageIndex::containing(address - node.arena().base());
        // One that the program changed meanwhile has no class any more. Whether it is a span at all is seen under the lock.
        let is_left = node.tables().leave_span(page.granule(), id);
        if !is_left && !node.arena().has_changed() {
            return report_violation(Violation::DoubleFree, address, Context::FreePages);
        }
        node.give_pages(page, address);
    }

    /// Takes back a span that waited in a thread's cache.
    // Apart from the way of small objects, which shall not pay for its stack.
    #[inline(never)]
    pub(super) fn give_cached(&self, address: usize, id: ClassId) {
        match self.nodes().find(|node| node.owns(address)) {
            Some(node) => self.give_span(node, id, address),
            None => report_violation(Violation::InvalidFree, address, Context::Nowhere),
        }
    }
}

impl Node {
    /// Takes back the large block at `address`, which begins with `page`.
    #[inline(never)]
    pub(super) fn give_pages(&self, page: PageIndex, address: usize) {
        match self.arena().give_large(page) {
            Ok(_) => usdt::large_free(address),
            Err(why) => report_violation(violation_of(why), address, Context::FreePages),
        }
    }

    /// Makes the span of class `id` at `page` one for `bytes` bytes, without moving it. `false` leaves it as it was.
    pub(super) fn resize_span(&self, page: PageIndex, id: ClassId, bytes: usize) -> bool {
        let new = class::span_class_of(bytes);
        if new == id {
            return true;
        }
        if !self.arena().resize(page, class::info(new).span_pages()) {
            return false;
        }
        // Without a class, which the program has just taken from it, it is a span all the same.
        let _ = self.tables().change_span(page.granule(), id, new);
        true
    }

    /// Records that the program changes properties of what lies between two addresses; returns whether any of it is the node's.
    /// Takes no lock: a signal handler may make such a call.
    pub(super) fn note_changed(&self, start: usize, end: usize) -> bool {
        if !self.arena().note_changed(start, end) {
            return false;
        }
        let base = self.arena().base();
        let (start, end) = (start.saturating_sub(base), end.saturating_sub(base));
        let first = start.saturating_sub(BLOCK_SIZE) / GRANULE_SIZE;
        let last = end
            .min(self.tables().covered_bytes())
            .div_ceil(GRANULE_SIZE);
        for granule in (first..last).map(|granule| GranuleIndex(granule as u32)) {
            let id = self.tables().class_at(granule);
            if class::is_span(id) && granule.offset() + class::info(id).size as usize > start {
                let _ = self.tables().leave_span(granule, id);
            }
        }
        true
    }
}
