//! Where the memory of debugged blocks comes from: chunks for small ones, else a span or mapping each.
#![forbid(unsafe_code)]

use super::super::sort::Sort;
use super::super::zone::LEAST;
use super::Debug;
use super::store::CHUNK;
use crate::heap::{Heap, Node};
use crate::slab::{Request, class};
use crate::units::{ClassId, PAGE_SIZE, Zeroed, align_up};

impl Debug {
    /// The record of a small block, free or fresh; `None` where there is no memory.
    pub(super) fn take_small(&self, heap: &Heap, home: &'static Node, id: ClassId) -> Option<u32> {
        loop {
            let mut blocks = self.blocks.lock();
            if let Some(number) = blocks.take_free(&self.records, id) {
                let record = self.records.get(number);
                self.check_free(record);
                return Some(number);
            }
            if let Some(number) = blocks.take_fresh(id) {
                return Some(number);
            }
            drop(blocks);
            let chunk = heap.take_large(home, &Request::pages(CHUNK, CHUNK, Zeroed::No)?)?;
            let start = chunk.as_ptr().expose_provenance();
            let mut blocks = self.blocks.lock();
            // Another thread may have brought one meanwhile.
            let is_needed = !blocks.has_fresh(id);
            let is_added = is_needed && blocks.add_chunk(&self.records, start, id);
            drop(blocks);
            if !is_added {
                heap.give(chunk);
                if is_needed {
                    return None;
                }
            }
        }
    }

    /// The record of a block with a span or mapping of its own.
    pub(super) fn take_single(
        &self,
        heap: &Heap,
        home: &'static Node,
        request: &Request,
    ) -> Option<u32> {
        let align = request.align().max(LEAST);
        let room = request.bytes().checked_add(align)?.checked_add(LEAST)?;
        // A class would serve what is small; a span of its own keeps it away from other blocks.
        let room = room.max(class::MAX_SMALL + 1);
        let pages = Request::pages(room, align.max(PAGE_SIZE), request.zeroed())?;
        let memory = heap.take_large(home, &pages)?;
        let base = memory.as_ptr().expose_provenance();
        let room = heap.usable_size(base).unwrap_or(room);
        let user = align_up(base + LEAST, align)?;
        let mut blocks = self.blocks.lock();
        let number = self.records.take();
        if let Some(number) = number
            && blocks.add_single(base, user, number)
        {
            let sort = Sort::of_request(request);
            self.records.get(number).place(sort, base, room);
            return Some(number);
        }
        if let Some(number) = number {
            self.records.give(number);
        }
        drop(blocks);
        heap.give(memory);
        None
    }
}
