//! What caches and barns give up where the heap grows, and where threads come.
#![forbid(unsafe_code)]

use super::*;
use crate::heap::Settings;
use crate::units::PAGE_SIZE;

fn node(world: &World) -> &'static Node {
    world.heap.nodes().next().unwrap()
}

/// A machine where less memory is worth more time.
fn tiny() -> World {
    let settings = Settings {
        arena_bytes: 64 << 20,
        is_tiny: true,
        is_eager: true,
        shares_bins: true,
        ..Settings::TEST
    };
    World::with(1, settings)
}

/// What the slow paths of a program do after each other.
fn make_way(cache: &ThreadCache) {
    if cache.is_in_the_way() {
        cache.make_way(true);
    }
}

#[test]
fn what_waits_in_a_cache_serves_before_the_heap_grows_by_much() {
    let world = World::new(1, 256 << 20);
    let (here, arena) = (world.thread(0), node(&world).arena());
    // Each size after the other, as many as a sheaf has room for: none is served by what is cached of those before.
    for id in class::spans() {
        let blocks: Vec<_> = (0..sizing::capacity(id))
            .map(|_| {
                let block = alloc(here, class::info(id).size as usize).unwrap();
                make_way(here);
                block
            })
            .collect();
        blocks.into_iter().for_each(|block| free(here, block));
    }
    let touched = arena.touched_pages() * PAGE_SIZE;
    assert!(touched <= 12 << 20, "{touched} bytes for 4 MiB");
    world.end();
}

// A simulated clock has hardly begun.
#[cfg(not(simulated))]
#[test]
fn free_pages_that_cannot_serve_go_in_place_of_what_is_added() {
    let world = World::new(1, 256 << 20);
    let (here, arena) = (world.thread(0), node(&world).arena());
    let blocks: Vec<_> = (0..80).map(|_| alloc(here, 100_000).unwrap()).collect();
    // Every other one goes, so that nothing longer finds room.
    let (stay, go): (Vec<_>, Vec<_>) = (0..80).zip(blocks).partition(|(index, _)| index % 2 == 0);
    go.into_iter().for_each(|(_, block)| free(here, block));
    let before = arena.touched_pages();
    let long: Vec<_> = (0..8)
        .map(|_| {
            let block = alloc(here, 400_000).unwrap();
            make_way(here);
            block
        })
        .collect();
    let grown = arena.touched_pages().saturating_sub(before) * PAGE_SIZE;
    assert!(grown <= 512 << 10, "{grown} bytes more for 3.2 MB");
    long.into_iter().for_each(|block| free(here, block));
    stay.into_iter().for_each(|(_, block)| free(here, block));
    world.end();
}

#[test]
fn nothing_goes_to_the_system_where_nothing_may() {
    let world = World::new(1, 256 << 20);
    let (here, arena) = (world.thread(0), node(&world).arena());
    let blocks: Vec<_> = (0..100).map(|_| alloc(here, 100_000).unwrap()).collect();
    blocks.into_iter().for_each(|block| free(here, block));
    let before = arena.touched_pages();
    let longest = alloc(here, 4 << 20).unwrap();
    here.make_way(false);
    assert!(arena.touched_pages() >= before);
    free(here, longest);
    world.end();
}

#[test]
fn threads_that_only_free_keep_little_however_many_they_are() {
    let world = World::new(1, 1 << 30);
    let (maker, id) = (world.thread(0), class_of(20_000));
    let mut parked = 0;
    for count in 1..=400 {
        let thread = world.thread(0);
        let blocks: Vec<_> = (0..60)
            .map(|index| alloc(maker, 2_000 + index * 1_000).unwrap())
            .collect();
        for block in blocks {
            free(thread, block);
            make_way(thread);
        }
        parked += thread.parked_bytes();
        if count > 200 {
            assert!(thread.cached(id) <= 1, "{count} threads");
        }
    }
    // The first ones have room for more than the last.
    assert!(parked <= 64 << 20, "{parked} bytes wait");
    // And who comes to the slow path later has no more than the others.
    let first = world.thread(0);
    assert!(first.parked_bytes() == 0 && world.in_use() == 0);
    world.end();
}

#[test]
fn a_thread_that_was_the_only_one_makes_room_for_many() {
    let world = World::new(1, 1 << 30);
    let here = world.thread(0);
    let blocks: Vec<_> = (0..40).map(|_| alloc(here, 40_000).unwrap()).collect();
    blocks.into_iter().for_each(|block| free(here, block));
    let before = here.parked_bytes();
    assert!(before >= 6 * 40_000 && !here.is_thread_count_stale());
    let others: Vec<_> = (0..100).map(|_| world.thread(0)).collect();
    make_way(here);
    assert_eq!(here.parked_bytes(), 0);
    assert!(!here.is_thread_count_stale() && others.len() == 100);
    world.end();
}

#[test]
fn the_next_thread_gets_what_the_last_one_left() {
    let world = World::new(1, 64 << 20);
    let (first, id) = (world.thread(0), class_of(100));
    let blocks: Vec<_> = (0..50).map(|_| alloc(first, 100).unwrap()).collect();
    let last = *blocks.last().unwrap();
    blocks.into_iter().for_each(|block| free(first, block));
    let left = first.cached(id);
    assert!(left >= 50);
    world.registry.leave(first);
    assert_eq!(world.registry.count(), 0);
    // What it left counts as waiting, and goes as that of an idle thread does.
    assert_eq!(world.in_use(), 0);
    let second = world.thread(0);
    assert!(core::ptr::eq(first, second) && second.cached(id) == left);
    assert_eq!(second.pop(id), Some(last));
    free(second, last);
    world.registry.leave(second);
    assert_eq!(visit(second, Haste::Now), 0);
    settle();
    assert!(visit(second, Haste::Now) >= 50 * 100);
    let third = world.thread(0);
    let block = alloc(third, 100).unwrap();
    free(third, block);
    world.end();
}

#[test]
fn few_ended_threads_leave_little() {
    let world = World::new(1, 256 << 20);
    let threads: Vec<_> = (0..20).map(|_| world.thread(0)).collect();
    for (count, thread) in threads.iter().enumerate() {
        // Those with much leave nothing.
        let blocks = if count % 5 == 0 { 30 } else { 3 };
        let blocks: Vec<_> = (0..blocks)
            .map(|_| alloc(thread, 40_000).unwrap())
            .collect();
        blocks.into_iter().for_each(|block| free(thread, block));
        let spans = if count % 5 == 0 { 4 } else { 0 };
        let spans: Vec<_> = (0..spans)
            .map(|_| alloc(thread, 250_000).unwrap())
            .collect();
        spans.into_iter().for_each(|span| free(thread, span));
    }
    threads
        .iter()
        .for_each(|thread| world.registry.leave(thread));
    let waiting: Vec<_> = threads.iter().map(|thread| thread.parked_bytes()).collect();
    assert_eq!(waiting.iter().filter(|bytes| **bytes > 0).count(), 4);
    assert!(waiting.iter().sum::<usize>() <= 2 << 20);
    world.registry.cool_all();
    assert!(threads.iter().all(|thread| thread.parked_bytes() == 0));
    // Each is there for one thread.
    let again: Vec<_> = (0..20).map(|_| world.thread(0)).collect();
    for (index, cache) in again.iter().enumerate() {
        assert!(
            again[..index]
                .iter()
                .all(|other| !core::ptr::eq(*other, *cache))
        );
    }
    world.end();
}

#[test]
fn a_thread_on_another_node_finds_an_empty_cache() {
    let world = World::new(3, 64 << 20);
    let (here, there) = (world.thread(0), world.thread(1));
    let block = alloc(there, 100).unwrap();
    let own = alloc(here, 100).unwrap();
    free(here, block);
    free(here, own);
    world.registry.leave(here);
    assert_eq!(here.alien_objects(), 0);
    let next = world.thread(1);
    assert!(core::ptr::eq(here, next) && next.parked_bytes() == 0);
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn a_tiny_heap_keeps_no_empty_slab_and_little_of_anything() {
    let world = tiny();
    let (here, arena) = (world.thread(0), node(&world).arena());
    for size in [16, 64, 500, 2_000, 4_000, 30_000, 100_000, 1_000_000] {
        let blocks: Vec<_> = (0..200).map_while(|_| alloc(here, size)).collect();
        let most = blocks.len() * size;
        blocks.into_iter().for_each(|block| free(here, block));
        let parked = here.parked_bytes();
        assert!(parked <= 32 << 10, "{parked} bytes of {most} wait, {size}");
        if size <= class::MAX_SMALL {
            let id = class::class_of(size);
            let counts = node(&world).counts(id, sizing::capacity(id));
            assert_eq!((counts.in_barn, counts.out * size <= parked), (0, true));
        }
        here.drain();
        assert_eq!(arena.used_bytes(), 0, "{size}");
    }
    world.end();
}

// A simulated clock has hardly begun.
#[cfg(not(simulated))]
#[test]
fn free_pages_of_a_tiny_heap_go_without_growth() {
    let world = tiny();
    let (here, arena) = (world.thread(0), node(&world).arena());
    let blocks: Vec<_> = (0..20).map(|_| alloc(here, 100_000).unwrap()).collect();
    for block in blocks {
        free(here, block);
        make_way(here);
    }
    let dirty = arena.dirty_pages() * PAGE_SIZE;
    assert!(dirty <= 64 << 10, "{dirty} bytes stay");
    world.end();
}
