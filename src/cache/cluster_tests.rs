//! Threads on different clusters of processors.
#![forbid(unsafe_code)]

extern crate std;
use core::cell::Cell;
use std::collections::HashSet;
use std::vec::Vec;

use super::world::{World, alloc, free};
use super::*;
use crate::heap::Settings;
use crate::units::ClusterId;

const MIB: usize = 1 << 20;
const SIZE: usize = 64;

std::thread_local! {
    /// The cluster that this thread is made to believe it runs on.
    static RUNNING: Cell<u8> = const { Cell::new(0) };
}

fn world(clusters: u8, arena_bytes: usize) -> World {
    let settings = Settings {
        arena_bytes,
        clusters,
        current_cluster: || RUNNING.with(Cell::get),
        few_threads: 0,
        ..Settings::TEST
    };
    World::with(1, settings)
}

fn born_on(world: &World, cluster: u8) -> &'static ThreadCache {
    RUNNING.set(cluster);
    world.thread(0)
}

fn many(cache: &ThreadCache, count: usize) -> Vec<Object> {
    (0..count).map_while(|_| alloc(cache, SIZE)).collect()
}

fn home(world: &World) -> &'static Node {
    world.heap.nodes().next().unwrap()
}

/// The clusters whose slabs these objects lie in.
fn clusters_of(world: &World, objects: &[Object]) -> HashSet<u8> {
    let cluster = |object: &Object| {
        let id = class::class_of(SIZE);
        home(world).cluster_of(object.as_ptr() as usize, id).0
    };
    objects.iter().map(cluster).collect()
}

fn out_of(world: &World, cluster: u8) -> usize {
    let id = class::class_of(SIZE);
    let mut cache_nodes = home(world).used_cache_nodes(id);
    let cache_node = cache_nodes.find(|(it, _)| *it == ClusterId(cluster));
    cache_node.map_or(0, |(_, cache_node)| {
        cache_node.lock().counts(sizing::capacity(id)).out
    })
}

#[test]
fn each_cluster_has_slabs_of_its_own() {
    let world = world(3, 16 * MIB);
    let mut all = Vec::new();
    for cluster in [2, 0, 1] {
        let cache = born_on(&world, cluster);
        let objects = many(cache, 5_000);
        assert_eq!(clusters_of(&world, &objects), HashSet::from([cluster]));
        all.push((cache, objects));
    }
    for (cache, objects) in all {
        objects.into_iter().for_each(|object| free(cache, object));
    }
    world.end();
    assert_eq!(world.in_use(), 0);
}

#[test]
fn nobody_waits_for_another_clusters_cache_nodes() {
    let world = world(2, 64 * MIB);
    let far = born_on(&world, 1);
    let kept = many(far, 10);
    let held: Vec<_> = class::all()
        .flat_map(|id| home(&world).used_cache_nodes(id))
        .map(|(cluster, cache_node)| {
            assert_eq!(cluster, ClusterId(1));
            cache_node.lock()
        })
        .collect();
    assert!(!held.is_empty());
    let near = born_on(&world, 0);
    let objects = many(near, 50_000);
    objects.into_iter().for_each(|object| free(near, object));
    near.drain();
    drop(held);
    kept.into_iter().for_each(|object| free(far, object));
    world.end();
}

#[test]
fn objects_go_back_to_the_slabs_of_the_cluster_that_they_came_from() {
    let world = world(3, 64 * MIB);
    let caches = [0, 1, 2].map(|cluster| born_on(&world, cluster));
    let [first, second, third] = caches.map(|cache| many(cache, 3_000));
    // In one sheaf they alternate.
    for ((one, other), last) in first.into_iter().zip(second).zip(third) {
        for object in [one, other, last] {
            free(caches[1], object);
        }
    }
    caches.iter().for_each(|cache| cache.drain());
    world.heap.empty_barns();
    assert_eq!([0, 1, 2].map(|cluster| out_of(&world, cluster)), [0; 3]);
    world.end();
}

#[test]
fn a_thread_that_moves_takes_from_where_it_is() {
    let world = world(2, 16 * MIB);
    let cache = born_on(&world, 0);
    let before = many(cache, 3_000);
    RUNNING.set(1);
    // What it has at hand comes first.
    let while_moving = many(cache, 3_000);
    let after = many(cache, 3_000);
    assert_eq!(clusters_of(&world, &before), HashSet::from([0]));
    assert_eq!(clusters_of(&world, &after), HashSet::from([1]));
    for object in before.into_iter().chain(while_moving).chain(after) {
        free(cache, object);
    }
    world.end();
    assert_eq!(world.in_use(), 0);
}

#[test]
fn where_memory_ends_other_clusters_slabs_serve() {
    let world = world(2, 4 * MIB);
    let far = born_on(&world, 1);
    let mut all = many(far, usize::MAX);
    let count = all.len();
    let mut kept = Vec::new();
    // One object of each page stays, so that no slab comes back as a whole.
    for (number, object) in all.drain(..).enumerate() {
        match number % SIZE {
            0 => kept.push(object),
            _ => free(far, object),
        }
    }
    far.drain();
    world.heap.empty_barns();
    let near = born_on(&world, 0);
    let objects = many(near, usize::MAX);
    assert!(
        objects.len() + kept.len() > count * 9 / 10,
        "{} of {count}",
        objects.len()
    );
    assert_eq!(clusters_of(&world, &objects), HashSet::from([1]));
    let single = world.heap.take_object(home(&world), class::class_of(SIZE));
    assert_eq!(single, None);
    objects.into_iter().for_each(|object| free(near, object));
    kept.into_iter().for_each(|object| free(near, object));
    world.end();
    assert_eq!(world.in_use(), 0);
}

#[test]
fn cache_nodes_that_no_thread_was_near_have_no_memory() {
    let world = world(32, 16 * MIB);
    let cache = born_on(&world, 0);
    let objects = many(cache, 1_000);
    let id = class::class_of(SIZE);
    assert_eq!(home(&world).used_cache_nodes(id).count(), 1);
    objects.into_iter().for_each(|object| free(cache, object));
    world.end();
}

#[test]
fn few_threads_stay_together() {
    let settings = Settings {
        clusters: 2,
        current_cluster: || 1,
        few_threads: 2,
        ..Settings::TEST
    };
    let world = World::with(1, settings);
    let caches: Vec<_> = (0..4).map(|_| world.thread(0)).collect();
    let found = caches.iter().map(|cache| cache.cluster().0);
    assert_eq!(found.collect::<Vec<_>>(), [0, 0, 1, 1]);
    // From now on the others may move as well.
    let objects = many(caches[0], 3_000);
    assert_eq!(caches[0].cluster(), ClusterId(1));
    objects
        .into_iter()
        .for_each(|object| free(caches[0], object));
    world.end();
}

#[test]
fn who_was_seen_elsewhere_once_stays() {
    let world = world(2, 16 * MIB);
    let cache = born_on(&world, 0);
    for round in 0..20_000 {
        // Looks come every eighth slow path.
        RUNNING.set(u8::from(round % 1_000 == 0));
        let object = alloc(cache, 100 + round % 30 * 1_000).unwrap();
        free(cache, object);
        assert_eq!(cache.cluster(), ClusterId(0));
    }
    world.end();
}

#[test]
fn slabs_that_were_left_nearly_empty_serve_other_clusters_first() {
    let world = world(2, 64 * MIB);
    let cache = born_on(&world, 0);
    let objects = many(cache, 100_000);
    let mut kept = Vec::new();
    for (number, object) in objects.into_iter().enumerate() {
        match number % 10 {
            0 => kept.push(object),
            _ => free(cache, object),
        }
    }
    cache.drain();
    world.heap.empty_barns();
    let other = born_on(&world, 1);
    let objects = many(other, 20_000);
    assert_eq!(clusters_of(&world, &objects), HashSet::from([0]));
    for object in objects.into_iter().chain(kept) {
        free(other, object);
    }
    world.end();
    assert_eq!(world.in_use(), 0);
}

#[test]
fn sheaves_go_to_the_barn_of_those_who_allocate() {
    let world = world(2, 64 * MIB);
    let (producer, consumer) = (born_on(&world, 0), born_on(&world, 1));
    let id = class::class_of(SIZE);
    for _ in 0..40 {
        RUNNING.set(0);
        let objects = many(producer, 1_000);
        RUNNING.set(1);
        objects
            .into_iter()
            .for_each(|object| free(consumer, object));
    }
    let in_barn = |cluster| {
        let cache_node = home(&world).cache_node(ClusterId(cluster), id).lock();
        cache_node.counts(sizing::capacity(id)).in_barn
    };
    // The consumer has never taken an object; what its cluster has is of the time when its sheaf was small.
    assert!(in_barn(0) >= sizing::capacity(id));
    assert!(in_barn(1) < sizing::SECOND_CAPACITY);
    world.end();
    assert_eq!(world.in_use(), 0);
}

#[test]
fn the_look_at_the_end_knows_all_clusters() {
    let world = world(3, 16 * MIB);
    let caches = [0, 1, 2].map(|cluster| born_on(&world, cluster));
    for cache in caches {
        for object in many(cache, 2_000) {
            free(caches[2], object);
        }
    }
    // Nobody is reported of anything: no cache has what a slab has.
    caches.iter().for_each(|cache| cache.audit());
    world.end();
}
