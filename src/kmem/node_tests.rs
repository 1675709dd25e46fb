//! Objects from a node that is asked for, in worlds with several.
#![forbid(unsafe_code)]

extern crate std;
use std::vec::Vec;

use super::tests::{World, free};
use super::*;
use crate::units::NodeId;

const KERNEL: u32 = 0xcc0;
const NOWAIT: u32 = 0x2800;
const THISNODE: u32 = 0x20_0000;

/// Takes objects of a node with these flags until there are none, and returns them.
fn exhaust(
    world: &World,
    thread: Caller,
    cache: &'static NamedCache,
    node: u8,
    flags: u32,
) -> Vec<crate::slab::Object> {
    let gfp = Gfp::new(flags).unwrap();
    let take = || world.kmem.take_on(Some(thread), cache, NodeId(node), gfp);
    core::iter::from_fn(|| take().expect("there is such a node")).collect()
}

#[test]
fn this_node_is_no_other_and_its_end_is_no_memory() {
    let world = World::new(0b111);
    let thread = world.thread(0);
    let cache = world.cache(40_000, CacheArgs::default());
    let node_of = |object: &crate::slab::Object| world.heap.node_of(object.addr().get());
    for flags in [NOWAIT | THISNODE, KERNEL | THISNODE] {
        for node in [1, 0, 2] {
            let held = exhaust(&world, thread, cache, node, flags);
            assert!(
                flags & NOWAIT == NOWAIT || held.len() > 1000,
                "{}",
                held.len()
            );
            assert!(held.iter().all(|it| node_of(it) == Some(NodeId(node))));
            if flags & NOWAIT != NOWAIT {
                // Without the flag the others have some, and with it this one has none, also for the thread's own.
                let near = Gfp::new(KERNEL).unwrap();
                let far = world.kmem.take_on(Some(thread), cache, NodeId(node), near);
                let far = far.flatten().expect("other nodes have memory");
                assert_ne!(node_of(&far), Some(NodeId(node)));
                free(&world, thread, cache, far);
                let own =
                    world
                        .kmem
                        .take(Some(world.thread(node)), cache, Gfp::new(flags).unwrap());
                assert_eq!(own, None);
            }
            held.into_iter()
                .for_each(|object| free(&world, thread, cache, object));
        }
    }
    let gfp = Gfp::new(KERNEL).unwrap();
    assert_eq!(
        world.kmem.take_on(Some(thread), cache, NodeId(3), gfp),
        None
    );
    world.kmem.shrink(Some(thread), cache);
    world.validate();
    assert!(world.destroy(cache));
    world.end(&[thread]);
}
