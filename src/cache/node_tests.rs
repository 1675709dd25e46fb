//! Threads on machines with several nodes: where their memory comes from, and that it is returned there.
#![forbid(unsafe_code)]

extern crate std;
use core::cell::Cell;
use core::time::Duration;
use std::time::Instant;
use std::vec::Vec;

use super::world::{World, alloc, free};
use super::*;
use crate::heap::Settings;
use crate::numa::{Choice, NodeSet};
use crate::slab::Request;
use crate::units::{NodeId, Zeroed};

std::thread_local! {
    /// The node that this thread is made to believe it runs on.
    static RUNNING: Cell<Option<u8>> = const { Cell::new(None) };
}

fn running() -> Option<u8> {
    RUNNING.with(Cell::get)
}

fn world(nodes: u64, choice: Choice) -> World {
    World::with(
        nodes,
        Settings {
            choice,
            current_node: running,
            ..Settings::TEST
        },
    )
}

fn home_of(world: &World, object: Object) -> u8 {
    let address = object.as_ptr() as usize;
    let nodes = world.heap.nodes();
    let home = nodes
        .filter(|node| node.owns(address))
        .map(|node| node.id());
    home.last().unwrap().0
}

/// Enough allocations of different sizes for many slow paths.
fn live(cache: &ThreadCache) -> Vec<Object> {
    (0..2_000)
        .map(|round| alloc(cache, 100 + round % 30 * 1_000).unwrap())
        .collect()
}

#[test]
fn a_thread_that_stays_elsewhere_is_rehomed_and_one_that_passes_is_not() {
    let world = world(0b111, Choice::Local);
    let cache = world.thread(0);
    RUNNING.set(Some(0));
    live(cache)
        .into_iter()
        .for_each(|object| free(cache, object));
    // Seen there once.
    RUNNING.set(Some(2));
    for _ in 0..9 {
        let block = alloc(cache, 100 << 10).unwrap();
        assert_eq!(home_of(&world, block), 0);
        free(cache, block);
    }
    RUNNING.set(Some(0));
    live(cache)
        .into_iter()
        .for_each(|object| free(cache, object));
    assert_eq!(cache.binding().unwrap().home.id(), NodeId(0));
    // Stays.
    RUNNING.set(Some(2));
    let old = live(cache);
    let new = live(cache);
    assert_eq!(cache.binding().unwrap().home.id(), NodeId(2));
    assert!(new.iter().all(|object| home_of(&world, *object) == 2));
    old.into_iter()
        .chain(new)
        .for_each(|object| free(cache, object));
    assert_eq!(world.in_use(), 0);
    RUNNING.set(None);
    world.end();
}

#[test]
fn a_thread_on_a_node_without_memory_stays_where_it_is() {
    let world = world(0b11, Choice::Local);
    let cache = world.thread(5);
    let home = cache.binding().unwrap().home.id();
    RUNNING.set(Some(5));
    live(cache)
        .into_iter()
        .for_each(|object| free(cache, object));
    assert_eq!(cache.binding().unwrap().home.id(), home);
    RUNNING.set(None);
    world.end();
}

#[test]
fn no_handoff_makes_memory_drift() {
    let full = std::env::var_os("SLUBTEST_FULL").is_some();
    let rounds = if full { 100_000_000 } else { 500_000 };
    let world = world(0b11, Choice::Local);
    let threads = [world.thread(0), world.thread(1)];
    let neighbours = [world.thread(0), world.thread(1)];
    let mut kept: [Vec<Object>; 2] = [Vec::new(), Vec::new()];
    let mut times = [const { Vec::<Duration>::new() }; 2];
    // Batches, so that the clock costs nothing; the same number of frees at home and away.
    for round in 0..rounds / 100 {
        for (number, from) in threads.iter().enumerate() {
            for is_remote in [false, true] {
                let size = 16 << (round % 6);
                let objects: Vec<_> = (0..50).map(|_| alloc(from, size).unwrap()).collect();
                let to = if is_remote {
                    threads[number ^ 1]
                } else {
                    neighbours[number]
                };
                let start = Instant::now();
                objects.into_iter().for_each(|object| free(to, object));
                times[usize::from(is_remote)].push(start.elapsed());
            }
            if round % 100 == 0 {
                kept[number].push(alloc(from, 64).unwrap());
            }
        }
    }
    // Without what other programs took: those batches are the longest.
    let [near, far] = times.map(|mut times| {
        times.sort_unstable();
        times.truncate(times.len() / 10 * 9);
        times.iter().sum::<Duration>().as_nanos() as f64 / times.len() as f64 / 50.0
    });
    // One buffer for all classes, sorted when it is full, cost ten times as much.
    assert!(
        far < 5.0 * near,
        "a free for a neighbour {near:.1} ns, for another node {far:.1} ns"
    );
    let all = threads.iter().chain(&neighbours);
    all.for_each(|cache| cache.drain());
    world.heap.nodes().for_each(|node| {
        class::all().for_each(|id| {
            let counts = node.counts(id, sizing::capacity(id));
            let expected = if id == class::class_of(64) {
                kept[node.id().index()].len()
            } else {
                0
            };
            assert_eq!(
                counts.out - counts.in_barn,
                expected,
                "{id:?} of {:?}",
                node.id()
            );
        });
    });
    for (objects, from) in kept.into_iter().zip(threads) {
        objects.into_iter().for_each(|object| free(from, object));
    }
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn pages_are_counted_where_they_came_from() {
    let world = world(0b101, Choice::Local);
    let cache = world.thread(2);
    RUNNING.set(Some(2));
    let before = world.heap.numastat().of(NodeId(2));
    let block = alloc(cache, 100 << 10).unwrap();
    let object = alloc(cache, 64).unwrap();
    let huge = alloc(cache, 5 << 20).unwrap();
    let after = world.heap.numastat().of(NodeId(2));
    let pages = 28 + 16 + 1_280;
    assert_eq!((after[0] - before[0], after[4] - before[4]), (pages, pages));
    assert_eq!(world.heap.numastat().of(NodeId(0)), [0; 6]);
    for block in [block, object, huge] {
        free(cache, block);
    }
    RUNNING.set(None);
    world.end();
}

#[test]
fn what_is_interleaved_has_arenas_for_slabs_and_for_blocks() {
    let world = world(0b1111, Choice::Interleave);
    let cache = world.thread(3);
    assert!(!world.heap.is_numa());
    let object = alloc(cache, 64).unwrap();
    let block = alloc(cache, 1 << 20).unwrap();
    let kinds = |address: usize| {
        let mut nodes = world.heap.nodes();
        nodes.find(|node| node.owns(address)).unwrap().is_spread()
    };
    assert!(!kinds(object.as_ptr() as usize) && kinds(block.as_ptr() as usize));
    let turns: u64 = (0..4)
        .map(|node| world.heap.numastat().of(NodeId(node))[3])
        .sum();
    assert_eq!(turns, 16 + 256);
    free(cache, object);
    free(cache, block);
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn a_block_may_be_asked_for_from_any_home() {
    let world = world(0b101, Choice::Local);
    let cache = world.thread(0);
    let there = world.heap.node(NodeId(2)).unwrap();
    assert!(world.heap.node(NodeId(1)).is_none());
    for bytes in [0, 100, 30_000, 1 << 20] {
        let block = world
            .heap
            .take(there, &Request::new(bytes, 1, Zeroed::No).unwrap())
            .unwrap();
        assert_eq!(home_of(&world, block), 2);
        free(cache, block);
    }
    cache.drain();
    assert_eq!(world.in_use(), 0);
    world.end();
}

#[test]
fn a_bound_heap_has_no_other_homes() {
    let world = world(0b1111, Choice::Bind(NodeSet::from_bits(0b1010)));
    let homes: Vec<_> = world.heap.nodes().map(|node| node.id().0).collect();
    assert_eq!(homes, [1, 3]);
    let cache = world.thread(0);
    let object = alloc(cache, 100).unwrap();
    assert_eq!(home_of(&world, object), 1);
    free(cache, object);
    world.end();
}

#[test]
fn remote_objects_in_a_barn_are_no_violation() {
    let world = World::with(
        0b11,
        Settings {
            arena_bytes: 4 << 20,
            ..Settings::TEST
        },
    );
    let (poor, rich) = (world.thread(0), world.thread(1));
    // The first node is out of memory, so a refill brings its thread the other's objects, of which most
    // wait in the sheaf. What it frees on top of them makes it full, and its end sends it to its barn.
    let mut near = Vec::new();
    let first_far = loop {
        let object = alloc(poor, 1_024).unwrap();
        if home_of(&world, object) == 1 {
            break object;
        }
        near.push(object);
    };
    let rest = near.split_off(200);
    near.into_iter().for_each(|object| free(poor, object));
    free(poor, first_far);
    world.registry.exit(poor);
    // Then the other thread sends enough there that it has to leave.
    rest.into_iter().for_each(|object| free(rich, object));
    assert_eq!(world.in_use(), 0);
    world.end();
}
