//! Sizes that are rare lie on common pages, and get their own when they are not.
#![forbid(unsafe_code)]

use super::*;
use crate::cache::world::take;
use crate::heap::Settings;
use crate::units::{PAGE_SIZE, Zeroed};

fn world(shares_bins: bool) -> World {
    world_of(shares_bins, false)
}

fn world_of(shares_bins: bool, is_tiny: bool) -> World {
    let settings = Settings {
        arena_bytes: 64 << 20,
        shares_bins,
        is_tiny,
        ..Settings::TEST
    };
    World::with(1, settings)
}

fn slabs(world: &World) -> usize {
    let cache_nodes =
        |node: &'static Node| class::all().map(|id| node.counts(id, sizing::capacity(id)).slabs);
    world.heap.nodes().flat_map(cache_nodes).sum()
}

fn usable(world: &World, object: Object) -> usize {
    world.heap.usable_size(object.as_ptr() as usize).unwrap()
}

#[test]
fn a_few_objects_of_all_small_sizes_lie_on_few_pages() {
    for (shares_bins, most) in [(true, 11), (false, 32)] {
        let world = world(shares_bins);
        let here = world.thread(0);
        let sizes = (1..=class::FINE_LIMIT).step_by(16);
        let objects: Vec<_> = sizes
            .map(|size| (size, alloc(here, size).unwrap()))
            .collect();
        assert_eq!(slabs(&world), most);
        for (size, object) in objects {
            // The modes that know a size's limits allow for no more than that.
            assert!((size..2 * size.max(16)).contains(&usable(&world, object)));
            free(here, object);
        }
        world.end();
    }
}

#[test]
fn a_size_that_is_not_rare_gets_a_bin_of_its_own() {
    for size in [40, 80, 144, 300, 700, 950] {
        let world = world(true);
        let here = world.thread(0);
        let own = class::class_of(size);
        let of_own = |object| usable(&world, object) == class::info(own).size as usize;
        let objects: Vec<_> = (0..8 * PAGE_SIZE / size)
            .map(|_| alloc(here, size).unwrap())
            .collect();
        let shared = objects.iter().take_while(|it| !of_own(**it)).count();
        assert!(
            (PAGE_SIZE / size..7 * PAGE_SIZE / size).contains(&shared),
            "{size}: {shared}"
        );
        assert!(objects.iter().skip(shared).all(|it| of_own(*it)), "{size}");
        // And so have all other sizes of its class.
        assert_eq!(here.serving(own), own);
        let next = alloc(here, class::info(own).size as usize - 1).unwrap();
        assert!(of_own(next));
        free(here, next);
        objects.into_iter().for_each(|object| free(here, object));
        world.end();
    }
}

#[test]
fn a_shared_bin_serves_frees_that_know_the_size() {
    let world = world(true);
    let here = world.thread(0);
    let object = alloc(here, 70).unwrap();
    assert_eq!(usable(&world, object), 96);
    assert!(here.is_in_class_of(object.as_ptr(), 70));
    assert!(here.is_in_class_of(object.as_ptr(), 90));
    assert!(!here.is_in_class_of(object.as_ptr(), 60));
    assert!(here.push_sized(object.as_ptr(), 80));
    world.end();
}

#[test]
fn objects_of_a_class_that_come_by_another_way_are_used() {
    let world = world(true);
    let here = world.thread(0);
    // Aligned requests go by the class.
    let aligned = take(here, 160, 32, Zeroed::No).unwrap();
    assert_eq!(usable(&world, aligned), 160);
    free(here, aligned);
    let object = alloc(here, 160).unwrap();
    assert_eq!(object, aligned);
    free(here, object);
    world.end();
}

#[test]
fn in_a_tiny_heap_sizes_share_for_good() {
    let world = world_of(true, true);
    let here = world.thread(0);
    let objects: Vec<_> = (0..2_000).map(|_| alloc(here, 80).unwrap()).collect();
    assert!(objects.iter().all(|object| usable(&world, *object) == 96));
    objects.into_iter().for_each(|object| free(here, object));
    world.end();
}

#[test]
fn objects_of_either_class_are_known_by_their_size_in_any_thread() {
    let world = world(true);
    let (here, there) = (world.thread(0), world.thread(0));
    let objects: Vec<_> = (0..2_000).map(|_| alloc(here, 80).unwrap()).collect();
    // It notices the slabs by its first object.
    free(there, alloc(there, 16).unwrap());
    let (first, last) = (objects[0], objects[1_999]);
    assert_eq!((usable(&world, first), usable(&world, last)), (96, 80));
    for thread in [here, there] {
        assert!(thread.is_in_class_of(first.as_ptr(), 80));
        assert!(thread.is_in_class_of(last.as_ptr(), 80));
        assert!(!thread.is_in_class_of(last.as_ptr(), 90));
    }
    objects.into_iter().for_each(|object| free(here, object));
    world.end();
}
