//! The kernel's functions on the process's own heap while calls are refused: caches, sheaves, mempools, kmalloc, pages; and pools.

extern crate std;
use core::ptr::NonNull;
use core::slice;
use std::vec::Vec;

use super::process::{exclusive, live_in_threads};
use super::random::Random;
use crate::global::{
    alloc_from_sheaf, alloc_pages, free, free_pages, kfree, kmalloc, kmem_alloc_bulk,
    kmem_alloc_slow, kmem_create, kmem_destroy, kmem_free_bulk, kmem_free_slow, kmem_used,
    krealloc, malloc, mempool_alloc, mempool_create, mempool_destroy, mempool_free, pool_alloc,
    pool_create, pool_destroy, pool_free, pool_of, pool_pop, pool_push, pool_release,
    prefill_sheaf, rcu_begin, rcu_end, refill_sheaf, return_sheaf, sheaf_size,
};
use crate::kmem::{CacheArgs, CacheHandle, KmemError, SheafHandle};
use crate::pool::{PoolHandle, PoolOptions};

const KERNEL: u32 = 0xcc0;
const NOWAIT: u32 = 0x2800;
const ZERO: u32 = 0x100;
const TYPESAFE: u32 = 0x8_0000;
const MOST_ORDER: usize = 10;
const PAGE_BYTES: usize = 4096;

/// What a thread holds: memory, and what fills it.
enum Held {
    Block(NonNull<u8>, usize, u8),
    Pages(NonNull<u8>, u32, u8),
    Object(NonNull<u8>, u8),
    OfPool(NonNull<u8>, u8),
    Sheaf(SheafHandle, usize),
    OfHeap(NonNull<u8>, usize, u8),
}

/// A thread's caches and what it holds.
struct Life {
    random: Random,
    cache: CacheHandle,
    bytes: usize,
    pool: Option<CacheHandle>,
    /// A pool of blocks of any size.
    heap: Option<PoolHandle>,
    held: Vec<Held>,
}

fn paint(start: NonNull<u8>, bytes: usize, mark: u8) {
    // SAFETY: memory of the caller's with that many bytes.
    unsafe { start.write_bytes(mark, bytes) };
}

#[track_caller]
fn is_all(start: NonNull<u8>, bytes: usize, mark: u8) {
    // SAFETY: as above.
    let content = unsafe { slice::from_raw_parts(start.as_ptr(), bytes) };
    assert!(content.iter().all(|byte| *byte == mark));
}

/// What was asked for, unless there is no memory for it: no other error is one here.
#[track_caller]
fn unless_refused<T>(made: Result<T, KmemError>) -> Option<T> {
    made.inspect_err(|why| assert_eq!(*why, KmemError::NoMemory))
        .ok()
}

impl Life {
    fn step(&mut self) {
        if self.held.len() > 12 || !self.held.is_empty() && self.random.below(3) == 0 {
            let held = self.held.swap_remove(self.random.below(self.held.len()));
            return self.give(held);
        }
        let mark = 1 + self.random.below(255) as u8;
        let flags = [KERNEL, KERNEL, NOWAIT][self.random.below(3)];
        match self.random.below(15) {
            0 => self.pool(),
            12 => self.pushed(mark),
            13..15 => self.of_heap(mark),
            1 => self.bulk(flags),
            2 => self.sheaf(flags),
            3 => self.pages(flags, mark),
            4..6 => self.block(flags, mark),
            6 => self.of_pool(mark),
            _ => {
                if let Some(object) = unless_refused(kmem_alloc_slow(self.cache, flags, -1)) {
                    paint(object, self.bytes, mark);
                    self.held.push(Held::Object(object, mark));
                }
            }
        }
    }

    fn pool(&mut self) {
        if self.pool.is_none() {
            let count = 1 + self.random.below(30);
            self.pool = unless_refused(mempool_create(self.cache, count));
        }
    }

    fn of_pool(&mut self, mark: u8) {
        let taken = self.pool.map(|pool| mempool_alloc(pool, NOWAIT));
        if let Some(object) = taken.and_then(unless_refused) {
            paint(object, self.bytes, mark);
            self.held.push(Held::OfPool(object, mark));
        }
    }

    /// A block of the pool, which may have to be made first.
    fn of_heap(&mut self, mark: u8) {
        let options = PoolOptions::default();
        let heap = self
            .heap
            .or_else(|| unless_refused(pool_create(b"", options)));
        self.heap = heap;
        let bytes = 1 << self.random.below(22);
        let taken = heap.and_then(|heap| unless_refused(pool_alloc(heap, bytes, 1, false)));
        if let Some(start) = taken {
            assert_eq!(pool_of(start.as_ptr()), heap);
            paint(start, bytes, mark);
            self.held.push(Held::OfHeap(start, bytes, mark));
        }
    }

    /// The same by malloc, if the pool can be pushed.
    fn pushed(&mut self, mark: u8) {
        let Some(heap) = self.heap else {
            return;
        };
        if unless_refused(pool_push(heap)).is_none() {
            return;
        }
        let bytes = 1 << self.random.below(18);
        let start = NonNull::new(malloc(bytes));
        assert_eq!(pool_pop(heap), Ok(()));
        if let Some(start) = start {
            assert_eq!(pool_of(start.as_ptr()), Some(heap));
            paint(start, bytes, mark);
            self.held.push(Held::OfHeap(start, bytes, mark));
        }
    }

    /// All or none, and none is lost of what was taken before the refusal.
    fn bulk(&mut self, flags: u32) {
        let mut places = [core::ptr::null_mut(); 70];
        let before = kmem_used(self.cache);
        match kmem_alloc_bulk(self.cache, flags, &mut places) {
            Ok(()) => {
                let marks = places.map(|it| NonNull::new(it).expect("all are there"));
                marks.into_iter().for_each(|it| paint(it, self.bytes, 9));
                marks.into_iter().for_each(|it| is_all(it, self.bytes, 9));
                kmem_free_bulk(self.cache, &places);
            }
            Err(why) => assert_eq!(why, KmemError::NoMemory),
        }
        assert_eq!(kmem_used(self.cache), before);
    }

    fn sheaf(&mut self, flags: u32) {
        let count = 1 + self.random.below(100);
        if let Some(sheaf) = unless_refused(prefill_sheaf(self.cache, flags, count)) {
            self.held.push(Held::Sheaf(sheaf, count));
        }
    }

    fn pages(&mut self, flags: u32, mark: u8) {
        let order = self.random.below(MOST_ORDER + 1) as u32;
        if let Some(start) = unless_refused(alloc_pages(flags, order)) {
            assert!(start.addr().get().is_multiple_of(PAGE_BYTES << order));
            paint(start, PAGE_BYTES << order, mark);
            self.held.push(Held::Pages(start, order, mark));
        }
    }

    fn block(&mut self, flags: u32, mark: u8) {
        let bytes = 1 << self.random.below(23);
        let bytes = bytes + self.random.below(bytes);
        let is_zeroed = self.random.below(2) == 0;
        let flags = if is_zeroed { flags | ZERO } else { flags };
        let Some(start) = unless_refused(kmalloc(bytes, flags, -1)) else {
            return;
        };
        if is_zeroed {
            is_all(start, bytes, 0);
        }
        paint(start, bytes, mark);
        let more = 1 + self.random.below(2 * bytes);
        // SAFETY: a block of this thread's own.
        let (start, bytes) = match unsafe { krealloc(start.as_ptr(), more, KERNEL) } {
            Ok(moved) => {
                is_all(moved, bytes.min(more), mark);
                paint(moved, more, mark);
                (moved, more)
            }
            Err(why) => {
                assert_eq!(why, KmemError::NoMemory);
                (start, bytes)
            }
        };
        self.held.push(Held::Block(start, bytes, mark));
    }

    fn give(&mut self, held: Held) {
        match held {
            Held::Block(start, bytes, mark) => {
                is_all(start, bytes, mark);
                // SAFETY: nobody uses it any more.
                unsafe { kfree(start.as_ptr()) };
            }
            Held::Pages(start, order, mark) => {
                is_all(start, PAGE_BYTES << order, mark);
                // SAFETY: as above.
                unsafe { free_pages(start.as_ptr(), order) };
            }
            Held::Object(object, mark) => {
                is_all(object, self.bytes, mark);
                kmem_free_slow(self.cache, object.as_ptr());
            }
            Held::OfPool(object, mark) => {
                is_all(object, self.bytes, mark);
                let pool = self.pool.expect("what came of a pool goes before it");
                mempool_free(pool, object.as_ptr());
            }
            Held::Sheaf(sheaf, count) => self.use_up(sheaf, count),
            Held::OfHeap(start, bytes, mark) => {
                is_all(start, bytes, mark);
                let heap = self.heap.expect("it is not ended before");
                pool_free(heap, start.as_ptr());
            }
        }
    }

    /// What was filled does not fail; what is not filled again stays as it is.
    fn use_up(&mut self, mut sheaf: SheafHandle, count: usize) {
        // SAFETY: this thread's own, until it is returned.
        let filled = unsafe { refill_sheaf(self.cache, KERNEL, sheaf, count + 20) };
        let mut expected = count;
        if let Some(now) = unless_refused(filled) {
            (sheaf, expected) = (now, count + 20);
        }
        // SAFETY: as above.
        assert_eq!(unsafe { sheaf_size(sheaf) }, Some(expected));
        for _ in 0..expected / 2 {
            // SAFETY: as above.
            let taken = unsafe { alloc_from_sheaf(self.cache, NOWAIT, sheaf) };
            let object = taken
                .expect("no reason to refuse")
                .expect("it is not empty");
            paint(object, self.bytes, 3);
            kmem_free_slow(self.cache, object.as_ptr());
        }
        // SAFETY: as above, and not used any more.
        unsafe { return_sheaf(self.cache, sheaf) };
    }

    /// Ends the pool in one of the ways, with what is left in it.
    fn end_heap(&mut self, heap: PoolHandle, inside: Vec<Held>) {
        const FORCE: u32 = 1;
        if self.random.below(2) == 0 {
            assert_eq!(pool_destroy(heap, FORCE), Ok(()));
            return;
        }
        assert_eq!(pool_release(heap), Ok(()));
        for block in inside {
            if let Held::OfHeap(start, bytes, mark) = block {
                is_all(start, bytes, mark);
                // SAFETY: nobody uses it any more.
                unsafe { free(start.as_ptr()) };
            }
        }
    }

    fn end(mut self) {
        if let Some(heap) = self.heap.take() {
            let (inside, rest) =
                (self.held.drain(..)).partition(|it| matches!(it, Held::OfHeap(..)));
            self.held = rest;
            self.end_heap(heap, inside);
        }
        while let Some(held) = self.held.pop() {
            self.give(held);
        }
        if let Some(pool) = self.pool {
            assert_eq!(mempool_destroy(pool), Ok(()));
        }
        assert_eq!(kmem_used(self.cache), Some(0));
        assert_eq!(kmem_destroy(self.cache), Ok(()));
    }
}

fn live(seed: u64) {
    let mut random = Random::new(seed);
    let bytes = [16, 200, 3_000, 40_000][random.below(4)];
    let flags = [0, TYPESAFE][random.below(2)];
    let args = CacheArgs {
        limit: [0, 400][random.below(2)],
        ..CacheArgs::default()
    };
    let Some(cache) = unless_refused(kmem_create(b"refused", bytes, args, flags)) else {
        return;
    };
    let mut life = Life {
        random,
        cache,
        bytes,
        pool: None,
        heap: None,
        held: Vec::new(),
    };
    (0..300).for_each(|_| life.step());
    life.end();
}

#[test]
fn the_kernels_functions_refuse_and_lose_nothing() {
    let _alone = exclusive();
    // So that the heap is there in any case.
    // SAFETY: a block of this thread's own.
    unsafe { free(malloc(1)) };
    // What waited for a grace period.
    let settle = || assert!(rcu_end(rcu_begin()));
    let refused = live_in_threads(177, live, settle);
    assert!(refused > 1_000, "{refused}");
}
