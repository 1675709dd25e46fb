//! Making room where memory was refused: what the heap holds without need is given up, the cheapest first.
//!
//! # Invariant
//!
//! A request that nothing can serve costs nothing but the answer. The effort for any other is in proportion to what is
//! given up, never to the size of the heap: pages that are free inside of the heap need no purging to be used again.
#![forbid(unsafe_code)]

use super::{Heap, Node};
use crate::slab::{Object, Request};
use crate::sys::{self, Mapping};
use crate::units::PAGE_SIZE;

impl Heap {
    /// Takes a small object by `take` once more, after barns and empty slabs became pages, and then after
    /// what else the heap could give up.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_small_under_pressure<T>(&self, take: impl Fn() -> Option<T>) -> Option<T> {
        self.collect();
        let taken = take();
        if taken.is_some() || !self.give_up_addresses(PAGE_SIZE) {
            return taken;
        }
        take()
    }

    /// A large or huge block for a process that has met a limit: on address space, on data or on
    /// commitment. What the heap holds without need goes back, until there is room.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_under_pressure(
        &self,
        home: &'static Node,
        request: &Request,
    ) -> Option<Object> {
        self.collect();
        let taken = self.take_large(home, request);
        if taken.is_some() {
            return taken;
        }
        let decommitted = self
            .nodes()
            .map(|node| node.arena().decommit_end())
            .sum::<usize>();
        if !self.give_up_addresses(request.addresses()) && decommitted == 0 {
            return None;
        }
        self.take_large(home, request)
    }

    /// Whether giving up what the heap holds could make room for a request; if not, a program
    /// that asks for the impossible shall keep its warm memory.
    #[cold]
    #[inline(never)]
    pub(crate) fn pressure_helps(&self, request: &Request) -> bool {
        if !self.can_ever_take(request.bytes()) {
            return false;
        }
        let needed = request.addresses();
        let committed = |node: &Node| node.arena().counts().committed_pages as usize * PAGE_SIZE;
        let mut held = self.nodes().map(committed).sum::<usize>() + self.huge.counts().kept_bytes;
        if needed > held && !sys::Region::can_reserve(needed) {
            held += self
                .nodes()
                .map(|node| node.arena().unused_bytes())
                .sum::<usize>();
        }
        let missing = needed.saturating_sub(held);
        missing == 0 || Mapping::new(missing, 1).map(Mapping::unmap).is_some()
    }

    /// Gives the address space that nothing was put into yet back to the program, for its other mappings; the arenas take
    /// it again when they need it and it is free.
    #[cold]
    pub(crate) fn give_up_reservations(&self) -> bool {
        self.nodes().filter(|node| node.shrink()).count() > 0
    }

    /// Turns barns' objects, and slabs without an object in use, into free pages.
    fn collect(&self) {
        self.empty_barns();
        self.nodes().for_each(Node::trim_cache_nodes);
    }

    /// Gives freed mappings back, and reservations if address space is what is short. Returns `true` if there were any.
    fn give_up_addresses(&self, needed: usize) -> bool {
        let mappings = self.huge.trim() > 0;
        // Address space that is given back may be lost to the arenas.
        let is_short = !sys::Region::can_reserve(needed);
        is_short && self.give_up_reservations() || mappings
    }
}
