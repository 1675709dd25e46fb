//! Pools: heaps of the program's own, with limits, whose blocks go one by one or all at once.
//!
//! # Invariant
//!
//! A pool has slabs, spans and mappings of its own, and what it has at hand lies in its own structure: no object of a pool is ever in a
//! sheaf. Its slabs are known by their owner (`slab/owner.rs`), its other blocks by their address (`blocks.rs`). Nothing is
//! written into a free object. A structure's addresses are never anything else, so a handle can always be looked at.

mod account;
mod blocks;
mod close;
mod create;
mod give;
mod handle;
mod hold;
pub(crate) mod layout;
mod options;
mod reach;
mod realloc;
mod report;
mod rest;
mod structure;
mod take;
mod validate;

#[cfg(test)]
mod rest_tests;
#[cfg(test)]
mod tests;

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::heap::{Heap, Home};
use crate::slab::Owner;
use crate::sync::Lock;
use crate::sys::{Region, Table};

use blocks::Blocks;
pub use handle::PoolHandle;
pub(crate) use hold::Stays;
pub use options::PoolOptions;
pub(crate) use options::{FORCE, KNOWN_FLAGS, SINGLE_THREAD};
pub(crate) use reach::Reach;
pub(crate) use report::{gone, not_its_block, not_on_top, still_pushed, unknown};
use rest::{Rest, RestingBytes};
pub(crate) use structure::{CLEARS, Pool};
pub(crate) use take::Refused;

/// All pools of a heap.
#[derive(Debug)]
pub(crate) struct Pools {
    heap: &'static Heap,
    /// The structures by place: those in use, and those that are no pool at the moment.
    table: Table<Pool>,
    /// How many lives each structure has had, and the next one that is no pool: place + 1, 0 for none.
    lives: Table<AtomicU32>,
    next: Table<AtomicU32>,
    first: usize,
    most: usize,
    blocks: Blocks,
    /// Structures that were ever used.
    made: AtomicU32,
    resting: RestingBytes,
    /// Held while a pool comes or goes.
    life: Lock<Life>,
}

#[derive(Debug, Default)]
struct Life {
    /// Structures that are no pool, with memory and without, and how many have memory.
    warm: u32,
    cold: u32,
    warm_count: u32,
    rest: Rest,
}

/// Where there are not enough addresses for [`Owner::MOST_POOLS`] pools there are as many.
const FEW_POOLS: usize = 1 << 12;

impl Pools {
    /// No pools yet; `None` where there are no addresses for any.
    #[cold]
    pub(crate) fn new(heap: &'static Heap) -> Option<Self> {
        let make = |most: usize| {
            let words = Table::<AtomicU32>::bytes_for(most);
            let bytes = Table::<Pool>::bytes_for(most);
            let all = bytes + 2 * words + Blocks::BYTES;
            let (table, rest) = Region::reserve_fenced(all, 0, 1 << 16)?.split(bytes);
            let (lives, rest) = rest.split(words);
            let (next, blocks) = rest.split(words);
            Some(Self {
                heap,
                first: table.at(0).addr().get(),
                table: Table::new(table),
                lives: Table::new(lives),
                next: Table::new(next),
                most,
                blocks: Blocks::new(blocks),
                made: AtomicU32::new(0),
                resting: RestingBytes::default(),
                life: Lock::new(Life::default()),
            })
        };
        make(Owner::MOST_POOLS as usize).or_else(|| make(FEW_POOLS))
    }

    /// The pool with a handle, if it is one of this heap's that exists.
    #[inline(always)]
    pub(crate) fn find(&'static self, handle: PoolHandle) -> Option<&'static Pool> {
        let pool = self.table.find(self.place_of(handle))?;
        // None of a pool is null, whose place is beyond all.
        (pool.handle() == handle).then_some(pool)
    }

    /// Where the structures are, and how many bytes of them.
    fn table(&self) -> (*const Pool, usize) {
        (self.table.as_ptr(), self.table.ready() * size_of::<Pool>())
    }

    /// Whether a handle is of a pool of this heap's, which may exist no more.
    pub(crate) fn is_handle(&self, handle: PoolHandle) -> bool {
        // ORDERING: relaxed, who has a handle was handed it after that.
        self.place_of(handle) < self.made.load(Relaxed) as usize
    }

    /// The pool, living or closed, that has the block at `address`, or the object that lies there.
    pub(crate) fn owner_of(&'static self, address: usize) -> Option<&'static Pool> {
        match self.heap.locate(address) {
            Home::Named { .. } => self.object_of(address),
            Home::Page { .. } | Home::Outside => {
                self.table.find(self.blocks.find(address)?.0 as usize)
            }
            Home::Slab { .. } | Home::Sampled { .. } => None,
        }
    }

    /// The same of an object in a slab; takes no lock.
    pub(crate) fn object_of(&'static self, address: usize) -> Option<&'static Pool> {
        match self.heap.locate(address) {
            Home::Named { owner, .. } => self.table.find(owner.pool_place()? as usize),
            _ => None,
        }
    }

    /// Takes all locks, to hold them across a fork.
    pub(crate) fn hold_for_fork(&'static self) {
        self.life.hold_for_fork();
        self.all().for_each(Pool::hold_for_fork);
        self.blocks.hold_for_fork();
    }

    /// The place of a pool with a handle; too large for what is none.
    #[inline(always)]
    fn place_of(&self, handle: PoolHandle) -> usize {
        handle.offset(self.first) / size_of::<Pool>()
    }

    /// All structures in use.
    fn all(&'static self) -> impl Iterator<Item = &'static Pool> {
        // ORDERING: relaxed; who asks holds the lock, or is content with those of before.
        let made = self.made.load(Relaxed) as usize;
        let all = (0..made).filter_map(|place| self.table.find(place));
        all.filter(|pool| pool.state.load(Relaxed) != 0)
    }
}
