//! Threads that take memory near a limit.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::world::{self, Fault};

use super::memory::heap;
use crate::arena::{Span, Use};
use crate::heap::{Heap, Node};
use crate::limit::Limit;
use crate::units::{Order, PAGE_SIZE};

/// What the limit keeps back for what is not the allocator's.
const RESERVE: usize = 1 << 20;
/// Pages that a thread takes at once.
const PAGES: u32 = 8;

fn take(heap: &Heap, node: &Node) -> Option<Span> {
    let bytes = PAGES as usize * PAGE_SIZE;
    let take = || node.arena().take(PAGES, Order::new(0), Use::Large);
    heap.take_within(bytes, take)
}

/// A heap whose limit leaves room for `room` pages.
fn limited(room: usize) -> (&'static Heap, &'static Node, usize) {
    // The tables of one heap are as large as those of the other.
    let used = |heap: &'static Heap| {
        let node = heap.nodes().next().expect("there is a node");
        let span = take(heap, node).expect("there is room");
        node.arena().give(span);
        node.arena().purge();
        (node, node.table_bytes())
    };
    let (_, tables) = used(heap(1, Limit::off()));
    let most = tables + room * PAGE_SIZE;
    let heap = heap(1, Limit::of(RESERVE + most));
    let (node, again) = used(heap);
    assert_eq!(again, tables, "both heaps are alike");
    (heap, node, most)
}

/// Two threads take eight pages each where there is `room` for that many pages. With a mistake they lend
/// themselves what they need.
pub fn takes(fault: Fault, room: usize, lend_themselves: bool) -> usize {
    world::check(fault, Some(2), move || {
        let (heap, node, most) = limited(room);
        let taken = world::place(AtomicUsize::new(0));
        let work = move || {
            if lend_themselves {
                let budget = heap.budget().expect("there is a limit");
                budget.refund(PAGES as usize * PAGE_SIZE);
            }
            if take(heap, node).is_some() {
                taken.fetch_add(1, Relaxed);
            }
        };
        world::together([Box::new(work), Box::new(work)]);
        let pages = taken.load(Relaxed) * PAGES as usize;
        assert!(
            node.table_bytes() + pages * PAGE_SIZE <= most,
            "the limit holds"
        );
        assert_eq!(
            pages,
            room.min(2 * PAGES as usize) / 8 * 8,
            "what fits is not refused"
        );
    })
}
