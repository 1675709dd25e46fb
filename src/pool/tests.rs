//! Pools in small worlds.
#![forbid(unsafe_code)]

extern crate std;
use std::boxed::Box;
use std::vec::Vec;

use super::*;
use crate::decay::Elapsed;
use crate::heap::{Resized, Settings};
use crate::numa::{NodeSet, Topology};
use crate::slab::{Object, Request};
use crate::units::{MIN_ALIGN, NodeId, Zeroed};

pub(super) struct World {
    pub(super) heap: &'static Heap,
    pub(super) pools: &'static Pools,
}

impl World {
    pub(super) fn new() -> Self {
        let settings = Settings {
            arena_bytes: 64 << 20,
            ..Settings::TEST
        };
        let topology = Topology::uniform(NodeSet::from_bits(1));
        let heap: &Heap = Box::leak(Box::new(Heap::new(topology, settings).unwrap()));
        let pools = Box::leak(Box::new(Pools::new(heap).unwrap()));
        Self { heap, pools }
    }

    pub(super) fn pool(&self, limit: usize, parent: Option<&'static Pool>) -> &'static Pool {
        let node = self.heap.home_of(NodeId(0));
        self.pools
            .create(b"test", node, limit, parent.map(|it| (it, it.handle())), 0)
            .unwrap()
    }

    pub(super) fn take(&self, pool: &'static Pool, bytes: usize) -> Option<Object> {
        let request = Request::new(bytes, MIN_ALIGN, Zeroed::No)?;
        self.pools.take(pool, pool.handle(), &request).ok()
    }

    pub(super) fn take_all(&self, pool: &'static Pool, bytes: usize) -> Vec<Object> {
        core::iter::from_fn(|| self.take(pool, bytes)).collect()
    }

    /// Pages that are in use, but for those that pools keep which are gone.
    pub(super) fn pages(&self) -> u64 {
        self.pools.decay(Elapsed::FOR_EVER);
        self.all_pages()
    }

    pub(super) fn all_pages(&self) -> u64 {
        let counts = self.heap.nodes().map(|node| node.arena().counts());
        counts.map(|it| it.committed_pages - it.free_pages).sum()
    }

    pub(super) fn validate(&self) {
        self.pools.validate();
        self.heap.validate();
    }
}

pub(super) const MANY: usize = usize::MAX;

#[test]
fn objects_come_back_to_their_word_and_to_their_slab() {
    let world = World::new();
    let before = world.pages();
    let pool = world.pool(MANY, None);
    let objects: Vec<_> = (0..3072).map(|_| world.take(pool, 64).unwrap()).collect();
    let mut addresses: Vec<_> = objects.iter().map(|it| it.addr().get()).collect();
    addresses.sort_unstable();
    assert!(addresses.windows(2).all(|two| two[1] - two[0] >= 64));
    assert_eq!(world.pools.used(pool), 3072 * 64);
    world.validate();
    // From three slabs and from the word that is at hand.
    for object in objects.iter().step_by(2) {
        assert!(world.pools.give(pool, *object));
    }
    world.validate();
    assert_eq!(world.pools.used(pool), 1536 * 64);
    for _ in 0..1536 {
        assert!(addresses.contains(&world.take(pool, 64).unwrap().addr().get()));
    }
    assert_eq!(world.pools.used(pool), 3072 * 64);
    for object in objects {
        assert!(world.pools.give(pool, object));
    }
    assert_eq!(world.pools.used(pool), 0);
    world.validate();
    assert_eq!(world.pools.destroy(pool, pool.handle()), Ok(()));
    assert_eq!(world.pages(), before);
    world.validate();
}

#[test]
fn a_pool_that_is_destroyed_leaves_nothing() {
    let world = World::new();
    let before = (world.pages(), world.heap.huge_counts().blocks);
    for round in 0..3 {
        let pool = world.pool(MANY, None);
        for bytes in (1..70_000).step_by(611).chain([300 << 10, 5 << 20]) {
            let object = world.take(pool, bytes).unwrap();
            assert!(core::ptr::eq(
                world.pools.owner_of(object.addr().get()).unwrap(),
                pool
            ));
            assert!(world.pools.usable_size(object.addr().get()) >= bytes);
        }
        world.validate();
        if round == 1 {
            assert_eq!(world.pools.reset(pool, pool.handle()), Ok(()));
            assert_eq!(world.pools.used(pool), 0);
            assert!(world.take(pool, 100).is_some());
            world.validate();
        }
        assert_eq!(world.pools.destroy(pool, pool.handle()), Ok(()));
        assert_eq!((world.pages(), world.heap.huge_counts().blocks), before);
        world.validate();
    }
}

#[test]
fn a_handle_is_of_one_life() {
    let world = World::new();
    let mut handles = Vec::new();
    for _ in 0..5 {
        let pool = world.pool(MANY, None);
        let handle = pool.handle();
        assert!(!handles.contains(&handle) && world.pools.find(handle).is_some());
        assert_eq!(world.pools.destroy(pool, pool.handle()), Ok(()));
        assert!(world.pools.find(handle).is_none() && world.pools.is_handle(handle));
        handles.push(handle);
    }
    let all: Vec<_> = (0..100).map(|_| world.pool(MANY, None)).collect();
    for pool in &all {
        assert!(!handles.contains(&pool.handle()));
    }
    assert!(handles.iter().all(|it| world.pools.find(*it).is_none()));
    for pool in all {
        assert_eq!(world.pools.destroy(pool, pool.handle()), Ok(()));
    }
    for other in [0, 4096, handles[0].addr() + (1 << 30), usize::MAX] {
        let other = PoolHandle(other);
        assert!(world.pools.find(other).is_none() && !world.pools.is_handle(other));
    }
    world.validate();
}

#[test]
fn limits_hold_for_all_below_and_none_is_passed() {
    let world = World::new();
    let top = world.pool(1 << 20, None);
    let low = [(); 3].map(|()| world.pool(512 << 10, Some(top)));
    let counts = low.map(|pool| world.take_all(pool, 100).len());
    // Objects of 112 bytes.
    assert_eq!(counts[0], (512 << 10) / 112);
    assert_eq!(counts[1], (512 << 10) / 112);
    assert!(counts[2] < 64 && world.pools.used(top) <= 1 << 20);
    world.validate();
    assert_eq!(world.pools.reset(low[0], low[0].handle()), Ok(()));
    assert!(!world.take_all(low[2], 1000).is_empty());
    assert!(world.take(top, 200 << 10).is_none());
    for pool in low {
        assert_eq!(world.pools.destroy(pool, pool.handle()), Ok(()));
    }
    assert_eq!(world.pools.used(top), 0);
    assert!(world.take(top, 1 << 20).is_some() && world.take(top, 1).is_none());
    world.validate();
}

#[test]
fn what_is_at_hand_of_one_size_serves_another_at_the_limit() {
    let world = World::new();
    let pool = world.pool(64 << 10, None);
    let objects = world.take_all(pool, 16);
    assert_eq!(objects.len(), 4096);
    for object in objects.iter().take(64) {
        assert!(world.pools.give(pool, *object));
    }
    assert_eq!(world.pools.used(pool), 4032 * 16);
    assert!(world.take(pool, 1 << 10).is_some() && world.take(pool, 1).is_none());
    assert_eq!(world.pools.used(pool), 64 << 10);
    world.validate();
}

#[test]
fn blocks_of_a_released_pool_stay_and_are_charged_to_those_above() {
    let world = World::new();
    let before = world.pages();
    let top = world.pool(1 << 20, None);
    let middle = world.pool(MANY, Some(top));
    let low = world.pool(MANY, Some(middle));
    let handle = low.handle();
    let small: Vec<_> = (0..2000).map(|_| world.take(low, 48).unwrap()).collect();
    let large = world.take(low, 200 << 10).unwrap();
    let used = 2000 * 48 + (200 << 10);
    assert_eq!(world.pools.release(low, low.handle()), Ok(()));
    assert!(world.pools.find(handle).is_none());
    assert_eq!(world.pools.used(top), used);
    assert!(core::ptr::eq(Pools::living(low).unwrap(), middle));
    assert_eq!(world.pools.destroy(middle, middle.handle()), Ok(()));
    assert!(core::ptr::eq(Pools::living(low).unwrap(), top));
    world.validate();
    assert!(world.take(top, (1 << 20) - used + 4096).is_none());
    assert!(matches!(
        world.pools.resize(low, large, 300 << 10),
        Some(Resized::At(_))
    ));
    assert_eq!(world.pools.used(top), used + (100 << 10));
    for object in small {
        assert!(world.pools.give(low, object));
    }
    world.validate();
    assert!(world.pools.give(low, large));
    assert_eq!((world.pages(), world.pools.used(top)), (before, 0));
    // Its structure is the next pool's, and so is that of the one in the middle.
    let places: Vec<_> = [(); 2]
        .map(|()| world.pool(MANY, None))
        .iter()
        .map(|pool| core::ptr::from_ref::<Pool>(pool))
        .collect();
    assert!(places.contains(&core::ptr::from_ref(low)));
    assert!(places.contains(&core::ptr::from_ref(middle)));
    world.validate();
}

#[test]
fn a_pool_for_one_thread_refuses_what_interrupts_it() {
    let world = World::new();
    let node = world.heap.home_of(NodeId(0));
    let pool = world.pools.create(b"one", node, MANY, None, 1).unwrap();
    let object = world.take(pool, 64).unwrap();
    let held = pool.hold().unwrap();
    assert!(world.take(pool, 64).is_none() && !world.pools.give(pool, object));
    assert_eq!(world.pools.reset(pool, pool.handle()), Err(Stays::Busy));
    drop(held);
    assert!(world.pools.give(pool, object));
    world.validate();
}

#[test]
fn a_full_node_has_other_memory_serve() {
    let settings = Settings {
        arena_bytes: 8 << 20,
        ..Settings::TEST
    };
    let topology = Topology::uniform(NodeSet::from_bits(1));
    let heap: &Heap = Box::leak(Box::new(Heap::new(topology, settings).unwrap()));
    let pools = Box::leak(Box::new(Pools::new(heap).unwrap()));
    let world = World { heap, pools };
    let pool = world.pool(MANY, None);
    for _ in 0..3000 {
        assert!(world.take(pool, 4096).is_some());
    }
    assert_eq!(world.pools.used(pool), 3000 * 4096);
    world.validate();
    assert_eq!(world.pools.destroy(pool, pool.handle()), Ok(()));
    assert_eq!(heap.huge_counts().blocks, 0);
    world.validate();
}

#[test]
fn pools_by_the_thousand_come_and_go() {
    let world = World::new();
    let before = world.pages();
    for _ in 0..2 {
        let all: Vec<_> = (0..300).map(|_| world.pool(MANY, None)).collect();
        for pool in &all {
            assert!(world.take(pool, 24).is_some());
        }
        for pool in all {
            assert_eq!(world.pools.destroy(pool, pool.handle()), Ok(()));
        }
    }
    assert_eq!(world.pages(), before);
    world.validate();
}

#[test]
fn what_pools_have_at_hand_is_not_what_meets_the_limit_above_them() {
    let world = World::new();
    let top = world.pool(1 << 20, None);
    let middle = world.pool(MANY, Some(top));
    let beside: Vec<_> = (0..12).map(|_| world.pool(MANY, Some(middle))).collect();
    for pool in &beside {
        for bytes in [64, 256] {
            let block = world.take(pool, bytes).unwrap();
            assert!(world.pools.give(pool, block));
        }
        assert_eq!(world.pools.used(pool), 0);
    }
    // Each has some KiB of these sizes at hand.
    let one = world.pool(MANY, Some(top));
    assert_eq!(world.take_all(one, 4096).len(), 256);
    assert!(world.take(beside[0], 4096).is_none());
    assert_eq!(world.pools.used(top), 1 << 20);
    world.validate();
    // Nor the limit of the one above itself; one that meets its own leaves the others what they have.
    assert_eq!(world.pools.reset(one, one.handle()), Ok(()));
    let ready = |pools: &[&'static Pool]| pools.iter().map(|it| it.ready_bytes()).sum::<usize>();
    for pool in &beside {
        let block = world.take(pool, 64).unwrap();
        assert!(world.pools.give(pool, block));
    }
    let at_hand = ready(&beside);
    assert!(at_hand > 0);
    let small = world.pool(4096, Some(top));
    assert_eq!(world.take_all(small, 4096).len(), 1);
    assert_eq!(ready(&beside), at_hand);
    assert_eq!(world.take_all(top, 4096).len(), 255);
    assert_eq!(ready(&beside), 0);
    world.validate();
}
