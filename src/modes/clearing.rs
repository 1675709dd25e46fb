//! Clearing: what changes hands holds zeroes, where the program asks for that.
//!
//! # Invariant
//!
//! Memory of an ordinary block is given up and gained only through this file, in place or not.
#![forbid(unsafe_code)]

use super::bytes::erase;
use crate::heap::{Heap, Resized};
use crate::slab::{Object, Request};

/// What is cleared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clearing {
    /// What the program gives up.
    pub(crate) on_free: bool,
    /// What it gets.
    pub(crate) on_alloc: bool,
}

impl Clearing {
    /// Nothing.
    pub(crate) const OFF: Self = Self {
        on_free: false,
        on_alloc: false,
    };

    /// Whether anything is cleared.
    pub(crate) fn any(self) -> bool {
        self.on_free || self.on_alloc
    }

    /// The request that is made of the heap.
    pub(crate) fn request(self, request: &Request) -> Request {
        match self.on_alloc {
            true => request.of_zeroes(),
            false => *request,
        }
    }

    /// The program gave the memory from `start` to `end` up.
    pub(super) fn give_up(self, start: usize, end: usize) {
        if self.on_free {
            erase(start, end);
        }
    }

    /// An ordinary block was handed out, or has grown, and the program wrote to its first `bytes` bytes at most.
    pub(crate) fn gain(self, heap: &Heap, block: Object, bytes: usize) {
        if self.on_alloc {
            erase_after(heap, block, bytes);
        }
    }

    /// An ordinary block keeps its length, but the program only its first `bytes` bytes: it gets the rest again.
    pub(super) fn keep(self, heap: &Heap, block: Object, bytes: usize) {
        if self.any() {
            erase_after(heap, block, bytes);
        }
    }

    /// Resizes an ordinary block of `old_bytes` where it is, if the heap can.
    pub(super) fn resize(
        self,
        heap: &Heap,
        block: Object,
        old_bytes: usize,
        bytes: usize,
    ) -> Resized {
        self.keep(heap, block, bytes);
        let resized = heap.resize(block, bytes);
        if let Resized::At(block) = resized {
            self.gain(heap, block, old_bytes);
        }
        resized
    }
}

fn erase_after(heap: &Heap, block: Object, bytes: usize) {
    let start = block.as_ptr() as usize;
    if let Some(usable) = heap.usable_size(start).filter(|usable| *usable > bytes) {
        erase(start + bytes, start + usable);
    }
}
