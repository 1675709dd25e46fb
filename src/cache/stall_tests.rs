//! What no call may cost: looks at the whole heap, and waiting for what another thread asks of the kernel.
#![forbid(unsafe_code)]

extern crate std;
use std::vec::Vec;

use super::world::{World, alloc, free};
use super::*;
use crate::decay::{Budget, Elapsed};
use crate::heap::Round;
#[cfg(not(simulated))]
use crate::{heap::Settings, sys::faults::Plan};

/// What a round that takes everything looks at, in places.
fn visits(world: &World) -> usize {
    let mut budget = Budget::unlimited();
    let mut round = Round::new(Elapsed::FOR_EVER);
    world.heap.decay_some(&mut round, &mut budget);
    assert!(world.heap.is_over(round));
    budget.visits()
}

#[test]
fn a_round_looks_only_at_what_may_go_however_large_the_heap_is() {
    // A simulation gets no more addresses at once than the machine has memory.
    let arena_bytes = if cfg!(simulated) { 4 << 30 } else { 16 << 30 };
    let world = World::new(1, arena_bytes);
    let here = world.thread(0);
    // Untouched by anybody, and full to the last page but for the pageblocks of one size.
    let count = arena_bytes / 2 / (128 << 10);
    let large: Vec<_> = (0..count)
        .map(|_| alloc(here, 128 << 10).unwrap())
        .collect();
    let small: Vec<_> = (0..300_000).map(|_| alloc(here, 128).unwrap()).collect();
    here.drain();
    visits(&world);
    // Half the arena's pageblocks, and 600 slabs with their records: of nothing but the cache nodes there is something to see.
    assert!(visits(&world) <= class::CLASSES, "{}", visits(&world));
    let chosen = [77, 7_777, count - 5_000];
    chosen.iter().for_each(|it| free(here, large[*it]));
    for block in [&small[77], &small[7_777], &small[200_000]] {
        free(here, *block);
    }
    here.drain();
    assert!(world.heap.free_bytes() == 3 * (128 << 10));
    // Three calls for three pageblocks, as much as 11 looks each, and 32 pages, worth 80.
    let most = class::CLASSES + 3 * 3 + 3 * (11 + 80);
    let seen = visits(&world);
    assert!(seen <= most, "{seen}");
    assert_eq!(world.heap.free_bytes(), 0);
    assert!(visits(&world) <= class::CLASSES);
    world.heap.validate();
    large.iter().enumerate().for_each(|(number, block)| {
        if !chosen.contains(&number) {
            free(here, *block);
        }
    });
    small.iter().enumerate().for_each(|(number, block)| {
        if ![77, 7_777, 200_000].contains(&number) {
            free(here, *block);
        }
    });
    world.end();
}

#[test]
fn a_round_stops_when_its_budget_is_spent_and_goes_on_where_it_stopped() {
    let world = World::new(1, 1 << 30);
    let here = world.thread(0);
    let blocks: Vec<_> = (0..512).map(|_| alloc(here, 256 << 10).unwrap()).collect();
    blocks.into_iter().for_each(|block| free(here, block));
    here.drain();
    let all = world.heap.free_bytes();
    assert!(all >= 128 << 20);
    let (mut round, mut calls, mut gone) = (Round::new(Elapsed::FOR_EVER), 0, 0);
    while !world.heap.is_over(round) {
        let mut budget = Budget::of_a_call();
        let bytes = world.heap.decay_some(&mut round, &mut budget);
        // Half a millisecond where a page takes 0.5 microseconds, and the rest of a huge page.
        assert!(bytes <= 6 << 20, "{bytes}");
        (calls, gone) = (calls + 1, gone + bytes);
        world.heap.validate();
    }
    assert_eq!((gone, world.heap.free_bytes()), (all, 0));
    assert!(calls < 60, "{calls} calls");
    world.end();
}

#[cfg(not(simulated))]
#[test]
fn freed_mappings_go_back_under_the_same_budget() {
    let settings = Settings {
        arena_bytes: 1 << 30,
        reuse_bytes: 4 << 30,
        ..Settings::TEST
    };
    let world = World::with(1, settings);
    let here = world.thread(0);
    // Every fifth block stays, so that the others are pieces of their own.
    let blocks: Vec<_> = (0..200).map(|_| alloc(here, 10 << 20).unwrap()).collect();
    let (kept, gone): (Vec<_>, Vec<_>) = (0..).zip(blocks).partition(|(number, _)| number % 5 == 0);
    gone.iter().for_each(|(_, block)| free(here, *block));
    let all = world.heap.free_bytes();
    assert!(all >= 1_600 << 20);
    let plan = Plan::none();
    let (mut round, mut calls, mut bytes_gone) = (Round::new(Elapsed::FOR_EVER), 0, 0);
    while !world.heap.is_over(round) {
        let mut budget = Budget::of_a_call();
        let asked = plan.count();
        let bytes = plan.during(|| world.heap.decay_some(&mut round, &mut budget));
        // As above, and what is given back at least.
        assert!(bytes <= (4 << 20) + (256 << 10), "{bytes}");
        // A few pieces, each emptied and unmapped.
        let asked = plan.count() - asked;
        assert!(asked <= 8, "{asked} calls of the kernel");
        (calls, bytes_gone) = (calls + 1, bytes_gone + bytes);
    }
    assert_eq!((bytes_gone, world.heap.free_bytes()), (all, 0));
    assert!(calls < 480, "{calls} calls");
    kept.iter().for_each(|(_, block)| free(here, *block));
    world.heap.trim();
    world.end();
}

#[cfg(not(simulated))]
#[test]
fn nobody_who_can_be_served_waits_for_the_kernel() {
    let world = World::new(1, 1 << 30);
    let here = world.thread(0);
    let node = world.heap.nodes().next().unwrap();
    let plan = crate::sys::faults::Plan::new(move |event| {
        if event.changes_mappings() {
            let cache_nodes = class::all().all(|id| {
                node.used_cache_nodes(id)
                    .all(|(_, cache_node)| cache_node.is_free())
            });
            assert!(
                cache_nodes,
                "a cache node's lock is held at {:?}",
                event.site
            );
            let is_open = node.arena().is_open();
            assert!(is_open, "the arena's lock is held at {:?}", event.site);
        }
        None
    });
    plan.during(|| {
        for round in 0..4 {
            let sizes = [16, 64, 500, 3_000, 20_000, 100_000, 1 << 20, 3 << 20];
            let blocks: Vec<_> = (0..1_500)
                .map(|number| alloc(here, sizes[number % (sizes.len() - 2)]).unwrap())
                .chain((0..20).map(|number| alloc(here, sizes[6 + number % 2]).unwrap()))
                .collect();
            let (kept, gone): (Vec<_>, Vec<_>) =
                (0..).zip(blocks).partition(|(number, _)| number % 50 == 7);
            gone.iter().for_each(|(_, block)| free(here, *block));
            here.drain();
            if round % 2 == 0 {
                world.heap.decay(Elapsed::FOR_EVER);
            } else {
                world.heap.trim();
            }
            kept.iter().for_each(|(_, block)| free(here, *block));
            node.arena().decommit_end();
        }
    });
    let asked: u64 = plan.tallies().values().map(|tally| tally.seen).sum();
    assert!(asked > 100, "{asked} calls");
    assert_eq!(world.in_use(), 0);
    world.end();
}
