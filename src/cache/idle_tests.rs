//! Memory that nobody needs: how it leaves caches, slabs and arenas, and that nothing else does.

extern crate std;
use core::time::Duration;
use std::thread;
use std::vec::Vec;

use super::world::{World, alloc, free};
use super::*;
use crate::decay::{Budget, Elapsed};
use crate::heap::Settings;
use crate::limit::Limit;
use crate::slab::class::class_of;

fn visit(cache: &ThreadCache, haste: Haste) -> usize {
    cache.visit(haste, &mut Budget::unlimited())
}

fn settle() {
    thread::sleep(Duration::from_millis(SETTLE_MS + 15));
}

#[test]
fn what_an_idle_thread_left_behind_is_taken_and_the_thread_goes_on() {
    let world = World::new(1, 64 << 20);
    let (here, id) = (world.thread(0), class_of(64));
    let blocks: Vec<_> = (0..2_000).map(|_| alloc(here, 64).unwrap()).collect();
    blocks.into_iter().for_each(|block| free(here, block));
    let parked = here.cached(id);
    assert!(parked > sizing::capacity(id), "only {parked} are parked");
    // The first visit sees that it was refilled since it began.
    assert_eq!(visit(here, Haste::IfIdle), 0);
    let spare = visit(here, Haste::IfIdle);
    assert_eq!(spare, sizing::capacity(id) * 64);
    // Detached, and too early to be taken.
    assert_eq!(visit(here, Haste::IfIdle), 0);
    assert_eq!(here.parked_bytes(), parked * 64 - spare);
    settle();
    assert_eq!(visit(here, Haste::IfIdle) + spare, parked * 64);
    assert_eq!((here.cached(id), world.in_use()), (0, 0));
    let again: Vec<_> = (0..2_000).map(|_| alloc(here, 64).unwrap()).collect();
    assert_eq!(world.in_use(), 2_000);
    again.into_iter().for_each(|block| free(here, block));
    world.end();
}

#[test]
fn a_thread_that_wakes_keeps_its_objects_and_comes_by_once() {
    let world = World::new(1, 64 << 20);
    let (here, id) = (world.thread(0), class_of(64));
    let blocks: Vec<_> = (0..100).map(|_| alloc(here, 64).unwrap()).collect();
    blocks.into_iter().for_each(|block| free(here, block));
    let parked = here.cached(id);
    visit(here, Haste::Now);
    assert!(here.has_detached() && here.pop(id).is_none());
    let block = alloc(here, 64).unwrap();
    assert_eq!(here.cached(id), parked - 1);
    // The fast path works again at once.
    let next = here.pop(id).unwrap();
    settle();
    visit(here, Haste::Never);
    assert_eq!(here.cached(id), parked - 2);
    [block, next].into_iter().for_each(|it| free(here, it));
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn what_is_freed_above_detached_objects_stays_and_the_gap_is_closed() {
    let world = World::new(1, 64 << 20);
    let (here, id) = (world.thread(0), class_of(64));
    let blocks: Vec<_> = (0..300).map(|_| alloc(here, 64).unwrap()).collect();
    let (first, later) = blocks.split_at(100);
    first.iter().for_each(|block| free(here, *block));
    visit(here, Haste::Now);
    let detached = here.detached_of(id);
    assert!(detached > 0);
    let fits = sizing::capacity(id) - detached;
    let (on_top, rest) = later.split_at(fits.min(20));
    on_top.iter().for_each(|block| free(here, *block));
    settle();
    assert_eq!(visit(here, Haste::Never), detached * 64);
    assert_eq!(here.cached(id), on_top.len());
    rest.iter().for_each(|block| free(here, *block));
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn pages_without_objects_go_and_the_others_stay() {
    let world = World::new(1, 64 << 20);
    let here = world.thread(0);
    let blocks: Vec<_> = (0..100_000_u64)
        .map(|mark| {
            let block = alloc(here, 64).unwrap();
            // SAFETY: the heap gave 64 bytes.
            unsafe { block.cast::<u64>().write(mark) };
            (block, mark)
        })
        .collect();
    let keep = |mark: u64| mark % 200 == 7;
    let (kept, rest): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|(_, mark)| keep(*mark));
    rest.iter().for_each(|(block, _)| free(here, *block));
    here.drain();
    world.heap.decay(Elapsed::FOR_EVER);
    // One object on every third page: two of three pages are gone, of 6.4 MB.
    assert_eq!(world.heap.decay(Elapsed::FOR_EVER), 0);
    let content = |block: &Object| {
        // SAFETY: the block is held.
        unsafe { block.cast::<u64>().read() }
    };
    assert!(kept.iter().all(|(block, mark)| content(block) == *mark));
    let again: Vec<_> = (0..99_000).map(|_| alloc(here, 64).unwrap()).collect();
    for block in &again {
        // SAFETY: the block is held.
        unsafe { block.cast::<u64>().write(u64::MAX) };
    }
    assert!(kept.iter().all(|(block, mark)| content(block) == *mark));
    again.iter().for_each(|block| free(here, *block));
    kept.iter().for_each(|(block, _)| free(here, *block));
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn a_slab_that_objects_are_taken_from_is_let_be_for_a_while() {
    let world = World::new(1, 64 << 20);
    let here = world.thread(0);
    let blocks: Vec<_> = (0..1_000).map(|_| alloc(here, 64).unwrap()).collect();
    let (kept, rest) = blocks.split_at(10);
    rest.iter().for_each(|block| free(here, *block));
    here.drain();
    let step = Elapsed { steps: 1, quiet: 0 };
    // It was used before the first round, and is looked at again in the second.
    assert_eq!(world.heap.decay(step), 0);
    // With the barn's sheaves, which go later, all pages but the first are without objects.
    let purged: usize = (0..24).map(|_| world.heap.decay(step)).sum();
    assert!(purged > 48 << 10, "{purged}");
    assert_eq!(world.heap.decay(step), 0);
    // What comes back goes in the next round; what is taken starts the time anew.
    free(here, kept[9]);
    here.drain();
    assert_eq!(world.heap.decay(step), 0);
    let block = alloc(here, 64).unwrap();
    kept[..9].iter().for_each(|block| free(here, *block));
    free(here, block);
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn what_is_not_needed_goes_by_and_by() {
    let world = World::new(1, 64 << 20);
    let here = world.thread(0);
    let blocks: Vec<_> = (0..100).map(|_| alloc(here, 300_000).unwrap()).collect();
    blocks.into_iter().for_each(|block| free(here, block));
    let all = world.heap.free_bytes();
    assert!(all > 28 << 20);
    let step = Elapsed { steps: 1, quiet: 0 };
    // It was needed within the first step.
    assert_eq!(world.heap.decay(step), 0);
    let first = world.heap.decay(step);
    assert!(first >= all / 5 && first < all / 2, "{first} of {all}");
    (0..40).for_each(|_| _ = world.heap.decay(step));
    assert!(world.heap.free_bytes() <= 1 << 20);
    world.end();
}

#[test]
fn what_a_trim_has_detached_is_taken_by_it_alone() {
    let world = World::new(1, 64 << 20);
    let (here, id) = (world.thread(0), class_of(64));
    let blocks: Vec<_> = (0..300).map(|_| alloc(here, 64).unwrap()).collect();
    blocks.into_iter().for_each(|block| free(here, block));
    let parked = here.cached(id);
    let mut budget = Budget::unlimited();
    let (spare, has_detached) = here.detach_for(7, Haste::Now, &mut budget);
    assert!(has_detached && spare < parked * 64);
    assert_eq!(here.take_detached(8, &mut budget), 0);
    // The test is one thread, which needs no barrier.
    assert_eq!(here.take_detached(7, &mut budget) + spare, parked * 64);
    assert_eq!((here.cached(id), world.in_use()), (0, 0));
    assert_eq!(here.take_detached(7, &mut budget), 0);
    world.end();
}

#[test]
fn among_many_threads_sheaves_stay_small_and_objects_find_others() {
    let world = World::new(1, 1 << 30);
    let threads: Vec<_> = (0..=sizing::MANY_THREADS)
        .map(|_| world.thread(0))
        .collect();
    let id = class_of(64);
    for thread in &threads {
        let blocks: Vec<_> = (0..500).map(|_| alloc(thread, 64).unwrap()).collect();
        blocks.into_iter().for_each(|block| free(thread, block));
        assert!(thread.cached(id) <= sizing::SECOND_CAPACITY);
    }
    assert_eq!(world.in_use(), 0);
    let node = world.heap.nodes().next().unwrap();
    let counts = node.counts(id, sizing::capacity(id));
    // They all lived from the same objects.
    assert!(counts.slabs <= 12, "{} slabs", counts.slabs);
    world.end();
}

#[test]
fn a_limit_is_met_by_refusals_and_what_is_freed_can_be_had_again() {
    let settings = Settings {
        arena_bytes: 64 << 20,
        limit: Limit::of(16 << 20),
        ..Settings::TEST
    };
    let world = World::with(1, settings);
    let here = world.thread(0);
    for bytes in [100, 5_000, 100_000, 1 << 20, 5 << 20] {
        let blocks: Vec<_> = core::iter::from_fn(|| alloc(here, bytes)).collect();
        let sum = blocks.len() * bytes;
        assert!((9 << 20..17 << 20).contains(&sum), "{sum} with {bytes}");
        blocks.into_iter().for_each(|block| free(here, block));
    }
    world.end();
}

#[path = "span_tests.rs"]
mod spans;

#[path = "growth_tests.rs"]
mod growth;

#[path = "shared_tests.rs"]
mod shared;
