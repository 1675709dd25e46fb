//! Pools that have ended and keep slabs, in small worlds.
#![forbid(unsafe_code)]

extern crate std;
use std::vec::Vec;

use super::Pools;
use super::tests::{MANY, World};
use crate::decay::Elapsed;

#[test]
fn a_pool_that_ends_leaves_its_slabs_to_the_next() {
    let world = World::new();
    let before = world.pages();
    let pool = world.pool(MANY, None);
    let blocks = [24, 200, 5000, 200 << 10].map(|bytes| world.take(pool, bytes).unwrap());
    let handle = pool.handle();
    assert_eq!(world.pools.destroy(pool, handle), Ok(()));
    let kept = world.all_pages();
    assert!(kept > before && kept < before + 50);
    world.validate();
    // It is no pool for anybody: neither for what asks whose a block is, nor for statistics.
    for block in blocks {
        let owner = world.pools.owner_of(block.addr().get());
        assert!(owner.and_then(Pools::living).is_none());
    }
    let mut pools = 0;
    world.pools.each(|_, _, _| pools += 1);
    assert_eq!(pools, 0);
    assert!(world.pools.find(handle).is_none());
    // The next one has the slabs, and nothing else.
    let next = world.pool(100 << 10, None);
    assert!(core::ptr::eq(pool, next) && next.handle() != handle);
    assert_eq!(world.pools.used(next), 0);
    for bytes in [24, 200, 5000] {
        assert!(world.take(next, bytes).is_some());
    }
    assert_eq!(world.all_pages(), kept);
    assert_eq!(world.take_all(next, 2000).len(), (100 << 10) / 2048 - 3);
    world.validate();
    assert_eq!(world.pools.destroy(next, next.handle()), Ok(()));
    assert_eq!(world.pages(), before);
}

#[test]
fn what_ended_pools_keep_is_bounded_and_goes_when_nobody_needs_it() {
    let world = World::new();
    let before = world.pages();
    let top = world.pool(MANY, None);
    let all: Vec<_> = (0..100).map(|_| world.pool(MANY, Some(top))).collect();
    for pool in &all {
        assert!(world.take(pool, 24).is_some() && world.take(pool, 100).is_some());
    }
    // One with pools below it keeps none.
    assert!(world.take(top, 1000).is_some());
    assert_eq!(world.pools.destroy(top, top.handle()), Ok(()));
    for pool in all {
        assert_eq!(world.pools.destroy(pool, pool.handle()), Ok(()));
    }
    assert_eq!(world.all_pages(), before + 1024);
    world.validate();
    // The first round sees what is there, and the next what nobody needed.
    let round = Elapsed { steps: 1, quiet: 0 };
    world.pools.decay(round);
    assert_eq!(world.all_pages(), before + 1024);
    let one = world.pool(MANY, None);
    assert_eq!(world.pools.destroy(one, one.handle()), Ok(()));
    let mut rounds = 0;
    while world.pools.decay(round) {
        rounds += 1;
        world.validate();
    }
    assert!((2..100).contains(&rounds));
    assert_eq!(world.all_pages(), before);
}
