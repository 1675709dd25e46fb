//! The sampled blocks that are in use, found by their address.
//!
//! # Invariant
//!
//! The caller holds the lock of the tables, but for [`Samples::may_have`]. A block is entered before the program is handed its address, and
//! taken out before anybody else can get it.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::sys::{Region, Table};

/// Blocks that there is room for.
const MOST: usize = 1 << 20;
/// Lists by address.
const LISTS: usize = 1 << 16;

/// A sampled block.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Sample {
    /// 0 where there is none.
    pub(super) address: AtomicUsize,
    /// Bytes that were asked for.
    pub(super) bytes: AtomicUsize,
    /// How many blocks it stands for, with `FRACTION_BITS`.
    pub(super) count: AtomicU64,
    /// Milliseconds between the profile's first start and the block's.
    pub(super) at: AtomicU32,
    /// The number of the stack that allocated it.
    pub(super) stack: AtomicU32,
    /// The next of the same list, or of the free ones; 0 after the last.
    next: AtomicU32,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Samples {
    /// The first has no block.
    pub(super) entries: Table<Sample>,
    lists: Table<AtomicU32>,
    /// The first free one below `end`; 0 for none.
    free: AtomicU32,
    /// Entries below this were used.
    pub(super) end: AtomicU32,
}

// ORDERING: relaxed; the lock orders what is under it. A thread that frees a block was handed its address after that was entered.

impl Samples {
    /// Bytes to reserve for the lists and the entries.
    pub(super) const BYTES: [usize; 2] = [
        Table::<AtomicU32>::bytes_for(LISTS),
        Table::<Sample>::bytes_for(MOST),
    ];

    /// None, in these regions; `None` where no memory can be had for them.
    pub(super) fn new(lists: Region, entries: Region) -> Option<Self> {
        let samples = Self {
            entries: Table::new(entries),
            lists: Table::new(lists),
            free: AtomicU32::new(0),
            end: AtomicU32::new(1),
        };
        (samples.lists.grow(LISTS) && samples.entries.grow(1)).then_some(samples)
    }

    /// Whether the block at `address` may be one of them; takes no lock.
    #[inline]
    pub(super) fn may_have(&self, address: usize) -> bool {
        self.list(address).load(Relaxed) != 0
    }

    /// A new entry for a block, with the rest of it for the caller to fill in; `None` where there is no room.
    pub(super) fn enter(&self, address: usize) -> Option<&Sample> {
        let (free, end) = (self.free.load(Relaxed), self.end.load(Relaxed));
        let number = if free != 0 { free } else { end };
        if number == end {
            if end as usize >= MOST || !self.entries.grow(end as usize + 1) {
                return None;
            }
            self.end.store(end + 1, Relaxed);
        }
        let entry = self.entries.get(number as usize);
        if number == free {
            self.free.store(entry.next.load(Relaxed), Relaxed);
        }
        let list = self.list(address);
        entry.next.store(list.load(Relaxed), Relaxed);
        entry.address.store(address, Relaxed);
        list.store(number, Relaxed);
        Some(entry)
    }

    /// Takes the entry of the block at `address` out, which keeps what is in it until the next one is entered.
    pub(super) fn leave(&self, address: usize) -> Option<&Sample> {
        let mut link = self.list(address);
        loop {
            let number = link.load(Relaxed);
            if number == 0 {
                return None;
            }
            let entry = self.entries.get(number as usize);
            if entry.address.load(Relaxed) == address {
                link.store(entry.next.load(Relaxed), Relaxed);
                entry.address.store(0, Relaxed);
                entry.next.store(self.free.load(Relaxed), Relaxed);
                self.free.store(number, Relaxed);
                return Some(entry);
            }
            link = &entry.next;
        }
    }

    fn list(&self, address: usize) -> &AtomicU32 {
        const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;
        let hash = (address as u64).wrapping_mul(SCATTER) >> (u64::BITS - LISTS.trailing_zeros());
        self.lists.get(hash as usize)
    }
}
