//! Threads as values: several caches in one thread, on machines that do not exist.
#![forbid(unsafe_code)]

extern crate std;
use std::vec::Vec;

use super::world::{World, alloc, free};
use super::*;
use crate::sync;
use crate::units::NodeId;

const SMALL_ARENA: usize = 4 << 20;

#[test]
fn what_was_freed_last_comes_back_first() {
    let world = World::new(1, SMALL_ARENA);
    let here = world.thread(0);
    let first = alloc(here, 64).unwrap();
    let second = alloc(here, 64).unwrap();
    assert_ne!(first, second);
    free(here, first);
    free(here, second);
    assert_eq!(alloc(here, 50), Some(second));
    assert_eq!(alloc(here, 64), Some(first));
    assert_eq!(world.in_use(), 2);
    world.end();
}

#[test]
fn objects_of_a_class_never_overlap() {
    let world = World::new(1, 16 << 20);
    let here = world.thread(0);
    for id in class::all() {
        let size = class::info(id).size as usize;
        let mut objects: Vec<usize> = (0..300)
            .map_while(|_| alloc(here, size))
            .map(|it| it.as_ptr() as usize)
            .collect();
        objects.sort_unstable();
        assert!(
            objects.windows(2).all(|pair| pair[1] - pair[0] >= size),
            "{size}"
        );
        assert!(objects.iter().all(|it| it % 16 == 0));
        for object in objects {
            free(here, Object::new(object as *mut u8).unwrap());
        }
    }
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn an_exhausted_arena_ends_in_none_and_recovers() {
    let world = World::new(1, SMALL_ARENA);
    let here = world.thread(0);
    let objects: Vec<Object> = core::iter::from_fn(|| alloc(here, 1024)).collect();
    assert_eq!(objects.len(), SMALL_ARENA / 1024);
    objects.into_iter().for_each(|object| free(here, object));
    assert_eq!(world.in_use(), 0);
    assert!(alloc(here, 16).is_some());
    world.end();
}

#[test]
fn one_thread_allocates_and_another_frees_without_growth() {
    let world = World::new(1, SMALL_ARENA);
    let (producer, consumer) = (world.thread(0), world.thread(0));
    for _ in 0..200_000 {
        let object = alloc(producer, 512).expect("memory does not pile up at the consumer");
        free(consumer, object);
    }
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn a_remote_object_is_returned_to_its_node() {
    let world = World::new(0b101, SMALL_ARENA);
    let (here, there) = (world.thread(0), world.thread(2));
    for round in 0..3_000 {
        let object = alloc(here, 64 + round % 7 * 100).unwrap();
        assert!(world.heap.home_of(NodeId(0)).owns(object.as_ptr() as usize));
        free(there, object);
    }
    assert_eq!(world.in_use(), 0);
    world.registry.exit(there);
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn a_full_node_is_helped_by_the_next() {
    let world = World::new(0b11, SMALL_ARENA);
    let here = world.thread(0);
    let objects: Vec<Object> = core::iter::from_fn(|| alloc(here, 1024)).collect();
    assert_eq!(objects.len(), 2 * SMALL_ARENA / 1024);
    objects.into_iter().for_each(|object| free(here, object));
    assert_eq!(world.in_use(), 0);
    let again = alloc(here, 1024).unwrap();
    assert!(world.heap.home_of(NodeId(0)).owns(again.as_ptr() as usize));
    world.end();
}

#[test]
fn a_dead_threads_objects_serve_the_living() {
    let world = World::new(1, SMALL_ARENA);
    for _ in 0..1_000 {
        let thread = world.thread(0);
        let objects: Vec<Object> = (0..50).map(|_| alloc(thread, 1024).unwrap()).collect();
        objects.into_iter().for_each(|object| free(thread, object));
        world.registry.exit(thread);
    }
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn a_forked_child_adopts_what_the_other_threads_held() {
    let world = World::new(1, SMALL_ARENA);
    let (survivor, orphan) = (world.thread(0), world.thread(0));
    let object = alloc(orphan, 4096).unwrap();
    let _one = sync::one_fork::take();
    sync::begin_fork(sync::Interrupted::No);
    world.registry.hold_for_fork();
    world.heap.hold_for_fork();
    sync::end_fork_in_child();
    world.registry.begin_child(Some(survivor));
    assert_eq!(world.registry.count(), 1);
    free(survivor, object);
    // What they held waits until somebody wants it.
    world.registry.adopt_orphans(usize::MAX);
    assert_eq!(world.in_use(), 0);
    assert!(core::ptr::eq(world.thread(0), orphan));
    world.end();
}

#[test]
fn a_forked_childs_new_thread_takes_the_cache_of_one_that_stayed_behind() {
    let world = World::new(1, SMALL_ARENA);
    let (survivor, orphan) = (world.thread(0), world.thread(0));
    let object = alloc(orphan, 4096).unwrap();
    let _one = sync::one_fork::take();
    sync::begin_fork(sync::Interrupted::No);
    world.registry.hold_for_fork();
    world.heap.hold_for_fork();
    sync::end_fork_in_child();
    world.registry.begin_child(Some(survivor));
    let heir = world.thread(0);
    assert!(core::ptr::eq(heir, orphan));
    assert_eq!(world.registry.count(), 2);
    // Neither is an orphan.
    world.registry.adopt_orphans(usize::MAX);
    assert_eq!(world.registry.count(), 2);
    free(heir, object);
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn sixty_four_pages_are_enough_for_a_small_world() {
    let world = World::new(1, 64 * 4096);
    let here = world.thread(0);
    let objects: Vec<Object> = core::iter::from_fn(|| alloc(here, 16)).collect();
    assert_eq!(objects.len(), 4 * 3840);
    assert!(alloc(here, 2000).is_none());
    objects.into_iter().for_each(|object| free(here, object));
    assert!(alloc(here, 2000).is_some());
    world.end();
}

#[test]
fn a_thread_on_a_node_without_memory_lives_on_its_neighbours() {
    let world = World::new(0b100, SMALL_ARENA);
    let here = world.thread(7);
    let object = alloc(here, 100).unwrap();
    assert!(world.heap.home_of(NodeId(2)).owns(object.as_ptr() as usize));
    free(here, object);
    world.end();
}

#[test]
fn the_first_sheaf_is_small_and_grows() {
    let world = World::new(1, 64 << 20);
    let cache = world.thread(0);
    let id = class::class_of(64);
    let mut blocks: Vec<_> = (0..3).map(|_| alloc(cache, 64).unwrap()).collect();
    assert_eq!(cache.bin(id).capacity(), sizing::FIRST_CAPACITY);
    blocks.extend((0..9).map(|_| alloc(cache, 64).unwrap()));
    assert_eq!(cache.bin(id).capacity(), sizing::SECOND_CAPACITY);
    blocks.extend((0..60).map(|_| alloc(cache, 64).unwrap()));
    assert_eq!(cache.bin(id).capacity(), sizing::capacity(id));
    // A thread that only frees begins small as well.
    let other = world.thread(0);
    let left = blocks.split_off(sizing::FIRST_CAPACITY);
    blocks.into_iter().for_each(|block| free(other, block));
    assert_eq!(other.bin(id).capacity(), sizing::FIRST_CAPACITY);
    let mut left = left.into_iter();
    (&mut left).take(9).for_each(|block| free(other, block));
    assert_eq!(other.bin(id).capacity(), sizing::SECOND_CAPACITY);
    left.for_each(|block| free(other, block));
    assert_eq!(other.bin(id).capacity(), sizing::capacity(id));
    assert_eq!(world.in_use(), 0);
    world.end();
    assert!(world.heap.nodes().all(|node| {
        node.small_sheaves()
            .lock()
            .iter_mut()
            .all(|sheaves| sheaves.pop().is_some())
    }));
}

#[test]
fn threads_that_come_and_go_take_no_more_sheaves() {
    let world = World::new(0b11, 64 << 20);
    let remote = world.thread(1);
    let life = || {
        let thread = world.thread(0);
        for size in [16, 100, 1_000, 5_000, 9_000, 30_000] {
            // One of another node, which is returned there.
            free(thread, alloc(remote, size).unwrap());
            let blocks: Vec<_> = (0..40).map(|_| alloc(thread, size).unwrap()).collect();
            blocks.into_iter().for_each(|block| free(thread, block));
        }
        world.registry.exit(thread);
    };
    let taken = || {
        let nodes = world.heap.nodes();
        nodes
            .map(|node| node.metadata().used_bytes())
            .sum::<usize>()
    };
    (0..40).for_each(|_| life());
    let early = taken();
    (0..200).for_each(|_| life());
    assert_eq!(taken(), early);
    world.end();
}
