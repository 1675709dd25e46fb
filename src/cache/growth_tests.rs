//! What caches and barns give up where the heap grows, and where threads come.
#![forbid(unsafe_code)]

use super::*;
use crate::units::PAGE_SIZE;

fn node(world: &World) -> &'static Node {
    world.heap.nodes().next().unwrap()
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
    // Each size after the other, as many as a sheaf has room for: none is served by what waits of those before.
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
    let grown = (arena.touched_pages() - before) * PAGE_SIZE;
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
            assert!(thread.stock(id) <= 1, "{count} threads");
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
fn a_thread_that_was_alone_makes_room_for_a_crowd() {
    let world = World::new(1, 1 << 30);
    let here = world.thread(0);
    let blocks: Vec<_> = (0..40).map(|_| alloc(here, 40_000).unwrap()).collect();
    blocks.into_iter().for_each(|block| free(here, block));
    let before = here.parked_bytes();
    assert!(before >= 6 * 40_000 && !here.is_crowded());
    let others: Vec<_> = (0..100).map(|_| world.thread(0)).collect();
    make_way(here);
    assert_eq!(here.parked_bytes(), 0);
    assert!(!here.is_crowded() && others.len() == 100);
    world.end();
}
