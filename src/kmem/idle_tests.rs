//! What threads have at hand goes back while they may wake.
#![forbid(unsafe_code)]

extern crate std;
use std::vec::Vec;

use super::CacheArgs;
use super::tests::{World, alloc, free, numbers};
use crate::cache::Haste;
use crate::decay::Budget;
use crate::slab::Object;

#[test]
fn what_an_idle_thread_has_at_hand_goes_back() {
    let world = World::new(1);
    let [idle, busy] = [world.thread(0), world.thread(0)];
    let cache = world.cache(
        100,
        CacheArgs {
            limit: 60,
            ..CacheArgs::default()
        },
    );
    let held: Vec<_> = (0..60).map_while(|_| alloc(&world, idle, cache)).collect();
    assert_eq!(held.len(), 60);
    held.iter()
        .for_each(|object| free(&world, idle, cache, *object));
    assert_eq!((world.used(cache), cache.out() > 0), (0, true));
    let mut budget = Budget::unlimited();
    // Not before the time has passed, and not by another number.
    world.kmem.visit(idle.0, Haste::Now, &mut budget);
    world.kmem.visit(idle.0, Haste::Now, &mut budget);
    world.kmem.take_detached(&world.registry, 7, &mut budget);
    assert!(cache.out() > 0);
    assert!(
        world
            .kmem
            .detach(Some(cache), &world.registry, 7, &mut budget)
    );
    world.kmem.take_detached(&world.registry, 7, &mut budget);
    assert_eq!(cache.out(), 0);
    // The thread wakes, and finds none of what went.
    let all: Vec<_> = (0..61)
        .map_while(|turn| alloc(&world, [idle, busy][turn % 2], cache))
        .collect();
    let mut apart = all.clone();
    apart.sort_unstable();
    apart.dedup();
    assert!(apart.len() == all.len() && all.len() >= 59, "{}", all.len());
    all.iter()
        .for_each(|object| free(&world, idle, cache, *object));
    world.validate();
    assert!(world.destroy(cache));
    world.end(&[idle, busy]);
}

#[test]
fn a_thread_that_wakes_keeps_what_was_detached() {
    let world = World::new(1);
    let thread = world.thread(0);
    let cache = world.cache(64, CacheArgs::default());
    let mut next = numbers(11);
    let (mut held, mut budget): (Vec<Object>, _) = (Vec::new(), Budget::unlimited());
    for round in 0..20_000 {
        match next() % 7 {
            0..3 => held.extend(alloc(&world, thread, cache)),
            3..6 if !held.is_empty() => {
                let object = held.swap_remove(next() % held.len());
                free(&world, thread, cache, object);
            }
            _ if round % 3 == 0 => {
                world.kmem.detach(None, &world.registry, 3, &mut budget);
            }
            _ => world.kmem.take_detached(&world.registry, 3, &mut budget),
        }
        assert_eq!(world.used(cache), held.len(), "{round}");
    }
    held.sort_unstable();
    held.windows(2).for_each(|two| assert_ne!(two[0], two[1]));
    held.iter()
        .for_each(|object| free(&world, thread, cache, *object));
    world.validate();
    assert!(world.destroy(cache));
    world.end(&[thread]);
}

/// A child of a fork has none of the threads that wait in its parent.
#[test]
fn nobody_waits_in_a_child() {
    let world = World::new(1);
    let thread = world.thread(0);
    let cache = world.cache(1000, CacheArgs::default());
    let (kmem, registry) = (&world.kmem, &world.registry);
    let reserve = kmem.create_reserve(Some(thread), cache, 1, registry);
    let reserve = reserve.unwrap();
    let waited = reserve.wait(|| {
        assert!(cache.is_starved() && reserve.is_starved());
        kmem.begin_child();
        assert!(!cache.is_starved() && !reserve.is_starved());
        Some(())
    });
    assert_eq!(waited, Some(()));
    assert!(!cache.is_starved() && !reserve.is_starved());
    assert_eq!(kmem.destroy_reserve(None, reserve, registry), Ok(()));
    assert!(world.destroy(cache));
    world.end(&[thread]);
}
