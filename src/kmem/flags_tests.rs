//! What flags of an allocation promise, in small worlds.
#![forbid(unsafe_code)]

extern crate std;
use std::vec::Vec;

use super::tests::{World, free};
use super::{CacheArgs, Gfp};

const NOWAIT: u32 = 0x800;
const KERNEL: u32 = 0xcc0;
const THIS_NODE: u32 = 0x20_0000;

#[test]
fn what_must_not_wait_does_not_wait_for_a_lock() {
    let world = World::new(1);
    let thread = world.thread(0);
    let cache = world.cache(1000, CacheArgs::default());
    let soon = Gfp::new(NOWAIT).unwrap();
    // Memory that is there already.
    let first = world.kmem.take(Some(thread), cache, Gfp::KERNEL).unwrap();
    {
        let _cache_node = cache.entries().next().unwrap().cache_node.lock();
        let mut taken = Vec::new();
        while let Ok(object) = thread.0.pop_named(cache.handle().addr()) {
            taken.push(object);
        }
        assert_eq!(world.kmem.take(Some(thread), cache, soon), None);
        assert!(
            taken
                .iter()
                .all(|it| thread.0.push_named(cache.handle().addr(), it.as_ptr()))
        );
    }
    let second = world.kmem.take(Some(thread), cache, soon).unwrap();
    free(&world, thread, cache, first);
    free(&world, thread, cache, second);
    assert!(world.destroy(cache));
    world.end(&[thread]);
}

#[test]
fn memory_of_another_node_comes_only_where_it_may() {
    let world = World::new(3);
    let thread = world.thread(0);
    let cache = world.cache(40_000, CacheArgs::default());
    let near = Gfp::new(KERNEL | THIS_NODE).unwrap();
    let mut held: Vec<_> =
        core::iter::from_fn(|| world.kmem.take(Some(thread), cache, near)).collect();
    let is_near = |address: usize| thread.1.home.owns(address);
    assert!(held.len() > 100 && held.iter().all(|it| is_near(it.addr().get())));
    let far = world.kmem.take(Some(thread), cache, Gfp::KERNEL).unwrap();
    assert!(!is_near(far.addr().get()));
    held.push(far);
    assert_eq!(world.used(cache), held.len());
    held.iter().for_each(|it| free(&world, thread, cache, *it));
    assert!(world.destroy(cache));
    world.end(&[thread]);
}
