//! The blocks of pools that are no objects of slabs, by address: spans of pages and mappings of their own.
//!
//! # Invariant
//!
//! A block is known here from before its pool hands it out until it has given it up. Each is in the list of its pool and in that of its
//! bucket, all under one lock, which is held for some steps only.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering::Relaxed};

use crate::layout::{Row, fields};
use crate::report::check;
use crate::slab::Object;
use crate::sync::{Guard, Lock};
use crate::sys::{Region, Table, ZeroInit};
use crate::units::PAGE_SIZE;

/// The most blocks that all pools have together.
const MOST: usize = 1 << 20;
/// Lists by address.
pub(super) const BUCKETS: usize = 1 << 12;
/// A page's number times this, without that number of bits at its end, is its list.
pub(super) const FACTOR: usize = 0x9e37_79b9;
pub(super) const SHIFT: u32 = 8;

/// A block of a pool.
#[derive(Debug)]
pub(super) struct Block {
    start: AtomicPtr<u8>,
    bytes: AtomicUsize,
    /// The pool's place in the table of pools.
    pool: AtomicU32,
    /// The next block of the bucket, or that is none; as all links, a number from 1 on.
    beside: AtomicU32,
    /// Neighbours in the pool's list.
    next: AtomicU32,
    previous: AtomicU32,
}

// SAFETY: made of atomics; zero is no block.
unsafe impl ZeroInit for Block {}

/// All blocks of pools.
#[derive(Debug)]
pub(super) struct Blocks {
    table: Table<Block>,
    buckets: Table<AtomicU32>,
    state: Lock<State>,
    /// How many there are, for a look without the lock.
    count: AtomicUsize,
}

#[derive(Debug)]
struct State {
    /// The highest number, and the first that is no block.
    last: u32,
    free: u32,
}

// ORDERING: relaxed throughout this file, the lock orders all accesses; who looks for a block has been handed its address, and with it the
// count.

impl Blocks {
    /// Bytes to reserve.
    pub(super) const BYTES: usize =
        Table::<Block>::bytes_for(MOST) + Table::<AtomicU32>::bytes_for(BUCKETS);

    /// Where its fields and those of a block lie, for readers outside of the process.
    pub(super) const LAYOUT: &[Row] = fields!(Self as "pool_blocks" {
        table as table in Table::<Block>::ENTRIES,
        table as ready in Table::<Block>::READY,
        buckets as buckets in Table::<AtomicU32>::ENTRIES,
        buckets as buckets_ready in Table::<AtomicU32>::READY,
        count,
    });
    pub(super) const BLOCK_LAYOUT: &[Row] = fields!(Block as "pool_block" {
        start, bytes, pool, beside, next, previous,
    });

    /// None, in `region`.
    pub(super) fn new(region: Region) -> Self {
        let (buckets, table) = region.split(Table::<AtomicU32>::bytes_for(BUCKETS));
        Self {
            table: Table::new(table),
            buckets: Table::new(buckets),
            state: Lock::new(State { last: 0, free: 0 }),
            count: AtomicUsize::new(0),
        }
    }

    /// Enters a block of the pool at `pool`, whose list begins with `list`; `false` where there is no memory for that.
    pub(super) fn insert(&self, list: &AtomicU32, pool: u32, start: Object, bytes: usize) -> bool {
        let mut state = self.state.lock();
        let number = match state.free {
            0 => {
                let number = state.last + 1;
                let ready = number as usize <= MOST
                    && self.table.grow(number as usize)
                    && self.buckets.grow(BUCKETS);
                if !ready {
                    return false;
                }
                state.last = number;
                number
            }
            free => {
                state.free = self.block(free).beside.load(Relaxed);
                free
            }
        };
        let block = self.block(number);
        block.start.store(start.as_ptr(), Relaxed);
        block.bytes.store(bytes, Relaxed);
        block.pool.store(pool, Relaxed);
        self.link(number, block);
        let next = list.load(Relaxed);
        block.previous.store(0, Relaxed);
        block.next.store(next, Relaxed);
        if next != 0 {
            self.block(next).previous.store(number, Relaxed);
        }
        list.store(number, Relaxed);
        self.count.store(self.count.load(Relaxed) + 1, Relaxed);
        true
    }

    /// The pool of the block that begins at `address`, and its bytes.
    pub(super) fn find(&self, address: usize) -> Option<(u32, usize)> {
        if self.count.load(Relaxed) == 0 || !address.is_multiple_of(PAGE_SIZE) {
            return None;
        }
        let state = self.state.lock();
        let (_, block) = self.look(&state, address)?;
        Some((block.pool.load(Relaxed), block.bytes.load(Relaxed)))
    }

    /// Removes the block at `address` from a pool with that list; its bytes, `None` if another thread did.
    pub(super) fn remove(&self, list: &AtomicU32, pool: u32, address: usize) -> Option<usize> {
        let mut state = self.state.lock();
        let (number, block) = self.look(&state, address)?;
        if block.pool.load(Relaxed) != pool {
            return None;
        }
        self.drop_block(&mut state, list, number, block);
        Some(block.bytes.load(Relaxed))
    }

    /// Removes the first block of a list; where it begins, and its bytes.
    pub(super) fn pop(&self, list: &AtomicU32) -> Option<(Object, usize)> {
        let mut state = self.state.lock();
        let number = list.load(Relaxed);
        if number == 0 {
            return None;
        }
        let block = self.block(number);
        let start = NonNull::new(block.start.load(Relaxed))?;
        self.drop_block(&mut state, list, number, block);
        Some((start, block.bytes.load(Relaxed)))
    }

    /// Has nobody find the block at `address`, whose pages are to move; its number, to be used once. Its addresses may be another's meanwhile.
    pub(super) fn hide(&self, address: usize) -> Option<u32> {
        let state = self.state.lock();
        let (number, block) = self.look(&state, address)?;
        self.unlink(number, block);
        self.count.store(self.count.load(Relaxed) - 1, Relaxed);
        Some(number)
    }

    /// Has a block that was hidden be found where it is now, with as many bytes.
    pub(super) fn show(&self, number: u32, start: Object, bytes: usize) {
        let _state = self.state.lock();
        let block = self.block(number);
        block.start.store(start.as_ptr(), Relaxed);
        block.bytes.store(bytes, Relaxed);
        self.link(number, block);
        self.count.store(self.count.load(Relaxed) + 1, Relaxed);
    }

    /// Bytes of the blocks of a list.
    pub(super) fn bytes(&self, list: &AtomicU32) -> usize {
        let _state = self.state.lock();
        let mut number = list.load(Relaxed);
        let mut sum = 0;
        while number != 0 {
            let block = self.block(number);
            sum += block.bytes.load(Relaxed);
            number = block.next.load(Relaxed);
        }
        sum
    }

    /// Checks the count against the lists.
    pub(super) fn validate(&self) {
        let _state = self.state.lock();
        let mut count = 0;
        for bucket in 0..self.buckets.ready().min(BUCKETS) {
            let mut number = self.buckets.get(bucket).load(Relaxed);
            while number != 0 {
                let block = self.block(number);
                let address = block.start.load(Relaxed).addr();
                check(
                    bucket_of(address) == bucket,
                    "a pool's block is in the wrong bucket",
                );
                count += 1;
                number = block.beside.load(Relaxed);
            }
        }
        check(
            count == self.count.load(Relaxed),
            "blocks of pools are miscounted",
        );
    }

    /// Takes the lock, to hold it across a fork.
    pub(super) fn hold_for_fork(&self) {
        self.state.hold_for_fork();
    }

    fn look(&self, _state: &Guard<'_, State>, address: usize) -> Option<(u32, &Block)> {
        let mut number = self.buckets.find(bucket_of(address))?.load(Relaxed);
        while number != 0 {
            let block = self.block(number);
            if block.start.load(Relaxed).addr() == address {
                return Some((number, block));
            }
            number = block.beside.load(Relaxed);
        }
        None
    }

    fn drop_block(&self, state: &mut State, list: &AtomicU32, number: u32, block: &Block) {
        self.unlink(number, block);
        let (next, previous) = (block.next.load(Relaxed), block.previous.load(Relaxed));
        match previous {
            0 => list.store(next, Relaxed),
            previous => self.block(previous).next.store(next, Relaxed),
        }
        if next != 0 {
            self.block(next).previous.store(previous, Relaxed);
        }
        block.start.store(null_mut(), Relaxed);
        block.beside.store(state.free, Relaxed);
        state.free = number;
        self.count.store(self.count.load(Relaxed) - 1, Relaxed);
    }

    /// Puts a block into its bucket.
    fn link(&self, number: u32, block: &Block) {
        let bucket = self
            .buckets
            .get(bucket_of(block.start.load(Relaxed).addr()));
        block.beside.store(bucket.load(Relaxed), Relaxed);
        bucket.store(number, Relaxed);
    }

    /// Takes a block out of its bucket.
    fn unlink(&self, number: u32, block: &Block) {
        let mut link = self
            .buckets
            .get(bucket_of(block.start.load(Relaxed).addr()));
        loop {
            let found = link.load(Relaxed);
            if found == number || found == 0 {
                break link.store(block.beside.load(Relaxed), Relaxed);
            }
            link = &self.block(found).beside;
        }
    }

    fn block(&self, number: u32) -> &Block {
        self.table.get(number.saturating_sub(1) as usize)
    }
}

fn bucket_of(address: usize) -> usize {
    (address / PAGE_SIZE).wrapping_mul(FACTOR) >> SHIFT & (BUCKETS - 1)
}
