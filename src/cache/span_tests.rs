//! Spans that wait in caches: how many, for how long, and what becomes of them.
use std::vec::Vec;

use super::*;
use crate::cache::world::take;
use crate::decay::Budget;
use crate::heap::Resized;
use crate::units::{PAGE_SIZE, Zeroed};

/// A class of spans, and its size.
fn classes() -> impl Iterator<Item = (ClassId, usize)> {
    class::spans().map(|id| (id, class::info(id).size as usize))
}

fn used_bytes(world: &World) -> usize {
    world
        .heap
        .nodes()
        .map(|node| node.arena().used_bytes())
        .sum()
}

#[test]
fn a_span_that_was_freed_comes_back_first_and_holds_zeroes_if_that_is_wanted() {
    let world = World::new(1, 64 << 20);
    let here = world.thread(0);
    for (id, size) in classes() {
        let least = class::info(ClassId(id.0 - 1)).size as usize + 1;
        let span = alloc(here, least).unwrap();
        assert!((span.as_ptr() as usize).is_multiple_of(64 << 10));
        assert_eq!(world.heap.usable_size(span.as_ptr() as usize), Some(size));
        // SAFETY: the block has that many bytes.
        unsafe { span.write_bytes(0xa5, least) };
        free(here, span);
        assert_eq!(here.cached(id), 1);
        assert_eq!(take(here, least, 64 << 10, Zeroed::No), Some(span));
        free(here, span);
        assert_eq!(take(here, size, 1, Zeroed::Yes), Some(span));
        // SAFETY: the block is as long as that, and zeroed.
        let bytes = unsafe { core::slice::from_raw_parts(span.as_ptr(), size) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        free(here, span);
    }
    world.end();
    assert_eq!(used_bytes(&world), 0);
}

#[test]
fn no_thread_has_room_for_more_than_16_mib_of_spans() {
    let world = World::new(1, 1 << 30);
    let here = world.thread(0);
    let spans: Vec<_> = classes()
        .flat_map(|(_, size)| [(); 8].map(|()| alloc(here, size).unwrap()))
        .collect();
    let mut out = used_bytes(&world);
    for span in spans {
        out -= world.heap.usable_size(span.as_ptr() as usize).unwrap();
        free(here, span);
        let (_, waiting) = here.waiting_spans();
        assert!(waiting <= sizing::FEW_SHARE);
        assert_eq!(used_bytes(&world), out + waiting);
    }
    world.end();
    assert_eq!(used_bytes(&world), 0);
}

#[test]
fn spans_of_a_thread_that_does_nothing_go_back() {
    let world = World::new(1, 64 << 20);
    let here = world.thread(0);
    let spans: Vec<_> = classes()
        .map(|(_, size)| alloc(here, size).unwrap())
        .collect();
    spans.into_iter().for_each(|span| free(here, span));
    let waiting = here.waiting_spans().1;
    assert!(waiting > 0 && used_bytes(&world) == waiting);
    let mut budget = Budget::unlimited();
    here.visit(Haste::Now, &mut budget);
    settle();
    assert_eq!(here.visit(Haste::Now, &mut budget), waiting);
    assert_eq!(used_bytes(&world), 0);
    // And they are served again.
    let span = alloc(here, 1 << 20).unwrap();
    free(here, span);
    assert_eq!(alloc(here, 1 << 20), Some(span));
    free(here, span);
    world.end();
}

#[test]
fn a_span_changes_its_class_where_it_is() {
    let world = World::new(1, 64 << 20);
    let here = world.thread(0);
    let span = alloc(here, 100 << 10).unwrap();
    for size in [
        130 << 10,
        1 << 20,
        3 << 20,
        4 << 20,
        2 << 20,
        70 << 10,
        4 << 20,
    ] {
        let resized = world.heap.resize(span, size);
        assert!(
            matches!(resized, Resized::At(same) if same == span),
            "{size}"
        );
        let id = class::span_class_of(size);
        let bytes = class::info(id).size as usize;
        assert_eq!(world.heap.usable_size(span.as_ptr() as usize), Some(bytes));
        assert_eq!(used_bytes(&world), bytes);
        // What lies inside is no block.
        let inside = span.as_ptr() as usize + (64 << 10).min(bytes - PAGE_SIZE);
        assert_eq!(world.heap.usable_size(inside), None);
    }
    assert!(matches!(
        world.heap.resize(span, 5 << 20),
        Resized::Copy { .. }
    ));
    free(here, span);
    world.end();
    assert_eq!(used_bytes(&world), 0);
}

// A simulated mapping has no properties.
#[cfg(not(simulated))]
#[test]
fn a_span_with_other_properties_serves_nobody_before_its_pages_are_replaced() {
    let world = World::new(1, 64 << 20);
    let here = world.thread(0);
    let [span, other] = [(); 2].map(|()| alloc(here, 1 << 20).unwrap());
    let start = span.as_ptr() as usize;
    // A page inside.
    world
        .heap
        .note_changed(start + (300 << 10), start + (304 << 10));
    free(here, span);
    assert_eq!(here.waiting_spans(), (0, 0));
    assert_eq!(used_bytes(&world), 1 << 20);
    // Of one that waits here already, when it goes, whichever page it is.
    let start = other.as_ptr() as usize;
    free(here, other);
    assert_eq!(here.waiting_spans(), (1, 1 << 20));
    world
        .heap
        .note_changed(start + (500 << 10), start + (900 << 10));
    here.drain();
    assert_eq!(used_bytes(&world), 0);
    world.end();
}
