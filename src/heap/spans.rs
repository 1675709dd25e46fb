//! Spans that have a class: their way back, and how they change their size.
//!
//! # Invariant
//!
//! The class map has the class of a span at its first granule, and nothing at its others, as long as its pages are out of
//! the arena. Pages to which the program gave other properties lose their class: the arena replaces them then.
#![forbid(unsafe_code)]

use super::crimes::crime_of;
use super::{Heap, Node};
use crate::report::{Crime, Scene, accuse};
use crate::slab::class;
use crate::units::{BLOCK_SIZE, ClassId, GRANULE_SIZE, GranuleIndex, PageIndex};

impl Heap {
    /// Takes back the span of class `id` at `address`.
    pub(super) fn give_span(&self, node: &Node, id: ClassId, address: usize) {
        let page = PageIndex::containing(address - node.arena().base());
        if !node.tables().leave_span(page.granule(), id) {
            return accuse(Crime::DoubleFree, address, Scene::FreePages);
        }
        give_pages(node, page, address);
    }

    /// Takes back a span that waited in a thread's cache, where its class may be gone.
    pub(super) fn give_cached(&self, address: usize, id: ClassId) {
        let Some(node) = self.nodes().find(|node| node.owns(address)) else {
            return accuse(Crime::InvalidFree, address, Scene::Nowhere);
        };
        let page = PageIndex::containing(address - node.arena().base());
        let is_entered = node.tables().class_at(page.granule()) == id;
        if !is_entered && node.arena().was_changed(page) {
            return give_pages(node, page, address);
        }
        self.give_span(node, id, address);
    }
}

fn give_pages(node: &Node, page: PageIndex, address: usize) {
    if let Err(why) = node.arena().give_large(page) {
        accuse(crime_of(why), address, Scene::FreePages);
    }
}

impl Node {
    /// Makes the span of class `id` at `page` one for `bytes` bytes, without moving it. `false` leaves it as it was.
    pub(super) fn resize_span(&self, page: PageIndex, id: ClassId, bytes: usize) -> bool {
        let new = class::span_class_of(bytes);
        if new == id {
            return true;
        }
        self.arena().resize(page, class::info(new).span_pages())
            && self.tables().enter_span(page.granule(), new)
    }

    /// Takes note that the program changes properties of what lies between two addresses; whether any of it is the node's.
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
        let last = last.min(self.arena().committed_bytes().div_ceil(GRANULE_SIZE));
        for granule in (first..last).map(|granule| GranuleIndex(granule as u32)) {
            let id = self.tables().class_at(granule);
            if class::is_span(id) && granule.offset() + class::info(id).size as usize > start {
                let _ = self.tables().leave_span(granule, id);
            }
        }
        true
    }
}
