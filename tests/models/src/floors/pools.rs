//! Pools: they end while blocks of theirs, or of others, are freed; and limits that several threads meet.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::world::{self, Fault};

use super::memory::{BOUND, heap};
use crate::decay::Elapsed;
use crate::heap::Heap;
use crate::limit::Limit;
use crate::pool::{Pool, Pools};
use crate::slab::{Object, Request};
use crate::units::{MIN_ALIGN, NodeId, Zeroed};

/// Few objects lie in a slab of these.
const BYTES: usize = 40 << 10;

/// A heap with pools.
#[derive(Clone, Copy, Debug)]
struct Program {
    heap: &'static Heap,
    pools: &'static Pools,
}

impl Program {
    fn new() -> Self {
        let heap = heap(1, Limit::off());
        let pools = Pools::new(heap).expect("there are addresses");
        Self {
            heap,
            pools: world::place(pools),
        }
    }

    fn pool(self, limit: usize, parent: Option<&'static Pool>) -> &'static Pool {
        let node = self.heap.home_of(NodeId(0));
        let made = self
            .pools
            .create(b"model", node, limit, parent.map(|it| (it, it.handle())), 0);
        made.expect("there is memory")
    }

    fn take(self, pool: &'static Pool) -> Option<Object> {
        let request = Request::new(BYTES, MIN_ALIGN, Zeroed::No)?;
        self.pools.take(pool, pool.handle(), &request).ok()
    }

    /// As `free` does, which knows the address only.
    fn free(self, block: Object) {
        let owner = self.pools.owner_of(block.as_ptr().addr());
        assert!(self.pools.give(owner.expect("it is a block"), block));
    }

    /// Nothing is left but pools without blocks.
    fn end(self, pools: &[&'static Pool]) {
        for pool in pools {
            assert_eq!(self.pools.used(pool), 0);
            assert_eq!(self.pools.destroy(pool, pool.handle()), Ok(()));
        }
        self.pools.validate();
        self.pools.decay(Elapsed::FOR_EVER);
        self.heap.validate();
        let counts = self.heap.nodes().map(|node| node.arena().counts());
        let in_use: u64 = counts.map(|it| it.committed_pages - it.free_pages).sum();
        assert_eq!(in_use, 0, "no page is lost");
    }
}

/// A pool is released while one of its blocks is freed: its memory and its structure go once.
pub fn is_released(fault: Fault) -> usize {
    world::check(fault, BOUND, || {
        let program = Program::new();
        let pool = program.pool(usize::MAX, None);
        let (first, second) = (program.take(pool), program.take(pool));
        let (first, second) = (first.expect("memory"), second.expect("memory"));
        let handle = pool.handle();
        let give = move || program.free(first);
        let release = move || {
            assert_eq!(program.pools.release(pool, pool.handle()), Ok(()));
            program.free(second);
        };
        world::together([Box::new(give), Box::new(release)]);
        assert!(program.pools.find(handle).is_none());
        // The structure is the next pool's.
        let next = program.pool(usize::MAX, None);
        assert!(core::ptr::eq(next, pool), "its structure is free again");
        program.end(&[pool]);
    })
}

/// A pool is released, and another one gets its structure, while a thread takes from it: what that thread gets stays its own.
pub fn is_released_under_a_taker(fault: Fault) -> usize {
    world::check(fault, BOUND, || {
        let program = Program::new();
        let pool = program.pool(usize::MAX, None);
        let handle = pool.handle();
        let request = Request::new(BYTES, MIN_ALIGN, Zeroed::No).expect("it is small");
        let taken = world::place(AtomicUsize::new(0));
        let take = move || {
            if let Ok(block) = program.pools.take(pool, handle, &request) {
                // ORDERING: relaxed, looked at when both have ended.
                taken.store(block.as_ptr().addr(), Relaxed);
            }
        };
        let release = move || {
            assert_eq!(program.pools.release(pool, handle), Ok(()));
            let next = program.pool(usize::MAX, None);
            let block = program.take(next).expect("memory");
            assert_ne!(block.as_ptr().addr(), taken.load(Relaxed));
            assert_eq!(program.pools.destroy(next, next.handle()), Ok(()));
        };
        world::together([Box::new(take), Box::new(release)]);
        let address = taken.load(Relaxed);
        if address != 0 {
            let block = core::ptr::with_exposed_provenance_mut(address);
            program.free(Object::new(block).expect("an address"));
        }
        program.end(&[]);
    })
}

/// Two threads end a pool each and make another one, which may get the memory and the structure of either.
pub fn come_and_go(fault: Fault) -> usize {
    world::check(fault, BOUND, || {
        let program = Program::new();
        let block = program.take(program.pool(usize::MAX, None));
        // Wherever the first of a new pool may lie.
        let first = block.expect("memory").as_ptr().addr();
        world::watch(first);
        let live = move |pool: &'static Pool| {
            move || {
                assert_eq!(program.pools.destroy(pool, pool.handle()), Ok(()));
                let next = program.pool(usize::MAX, None);
                let block = program.take(next).expect("there is a slab at hand");
                if block.as_ptr().addr() == first {
                    world::write(first, 1);
                }
                program.free(block);
                assert_eq!(program.pools.destroy(next, next.handle()), Ok(()));
            }
        };
        let first = program.pools.owner_of(first).expect("it has a block");
        let second = program.pool(usize::MAX, None);
        world::together([Box::new(live(first)), Box::new(live(second))]);
        program.end(&[]);
    })
}

/// Two pools share a limit of one block: never do both have one.
pub fn share_a_limit(fault: Fault) -> usize {
    world::check(fault, BOUND, || {
        let program = Program::new();
        let parent = program.pool(2 * BYTES - 1, None);
        let pools = [
            program.pool(usize::MAX, Some(parent)),
            program.pool(usize::MAX, Some(parent)),
        ];
        let holders = world::place(AtomicUsize::new(0));
        let take = move |pool: &'static Pool| {
            move || {
                if let Some(block) = program.take(pool) {
                    // ORDERING: relaxed, one number.
                    assert_eq!(holders.fetch_add(1, Relaxed), 0, "the limit is passed");
                    holders.fetch_sub(1, Relaxed);
                    program.free(block);
                }
            }
        };
        world::together([Box::new(take(pools[0])), Box::new(take(pools[1]))]);
        for pool in pools {
            assert_eq!(program.pools.destroy(pool, pool.handle()), Ok(()));
        }
        program.end(&[parent]);
    })
}
