//! Which pageblocks have a free block of an order: bits over bits, so the lowest is found in
//! three steps.
//!
//! # Invariant
//!
//! A bit of a level is set exactly if the word below it is not zero; a bit of the lowest level
//! exactly if its pageblock has a free block of that order. Written under the arena's lock.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::report::our_fault;
use crate::sys::{Region, Table, ZeroInit};
use crate::units::{ORDERS, Order};

/// One word for each order.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Words([AtomicU64; ORDERS]);

// SAFETY: made of atomics, and zero is a number.
unsafe impl ZeroInit for Words {}

/// Words of the top level; with 64 × 64 below each they cover 4 TiB.
const TOP: usize = 4;
const MIDDLE: usize = TOP * 64;
const LEVELS: [usize; 3] = [0, TOP, TOP + MIDDLE];

// ORDERING: relaxed throughout this file; the arena's lock orders all accesses.

/// The levels, one behind the other in one table that grows at the lowest level.
#[derive(Debug)]
pub(super) struct Summary {
    table: Table<Words>,
}

impl Summary {
    /// Bytes to reserve for `blocks` pageblocks.
    pub(super) const fn bytes_for(blocks: usize) -> usize {
        Table::<Words>::bytes_for(entries_for(blocks))
    }

    /// A summary over `region`: nothing is free.
    pub(super) fn new(region: Region) -> Self {
        Self {
            table: Table::new(region),
        }
    }

    /// Makes room for `blocks` pageblocks.
    pub(super) fn grow(&self, blocks: usize) -> bool {
        self.table.grow(entries_for(blocks))
    }

    /// The lowest pageblock that has a free block of `order`.
    pub(super) fn lowest(&self, order: Order) -> Option<usize> {
        let (word, bits) = (0..TOP)
            .map(|word| (word, self.word(0, word, order).load(Relaxed)))
            .find(|(_, bits)| *bits != 0)?;
        let middle = word * 64 + bits.trailing_zeros() as usize;
        let low = middle * 64 + self.lowest_bit(1, middle, order);
        Some(low * 64 + self.lowest_bit(2, low, order))
    }

    /// Records that `block` has a free block of `order`.
    pub(super) fn set(&self, block: usize, order: Order) {
        let mut place = block;
        for level in (0..LEVELS.len()).rev() {
            let word = self.word(level, place / 64, order);
            let before = word.load(Relaxed);
            word.store(before | 1 << (place % 64), Relaxed);
            if before != 0 {
                return;
            }
            place /= 64;
        }
    }

    /// Records that `block` has no free block of `order` any more.
    pub(super) fn clear(&self, block: usize, order: Order) {
        let mut place = block;
        for level in (0..LEVELS.len()).rev() {
            let word = self.word(level, place / 64, order);
            let after = word.load(Relaxed) & !(1 << (place % 64));
            word.store(after, Relaxed);
            if after != 0 {
                return;
            }
            place /= 64;
        }
    }

    /// Bytes of memory in use.
    pub(super) fn committed_bytes(&self) -> usize {
        self.table.committed_bytes()
    }

    fn lowest_bit(&self, level: usize, word: usize, order: Order) -> usize {
        self.word(level, word, order).load(Relaxed).trailing_zeros() as usize
    }

    fn word(&self, level: usize, word: usize, order: Order) -> &AtomicU64 {
        let start = LEVELS.get(level).copied().unwrap_or_default();
        match self.table.get(start + word).0.get(order.index()) {
            Some(word) => word,
            None => our_fault("no such order"),
        }
    }
}

const fn entries_for(blocks: usize) -> usize {
    TOP + MIDDLE + blocks.div_ceil(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_set_block_is_found_anywhere() {
        let blocks = 1 << 14;
        let region = Region::reserve(Summary::bytes_for(blocks), 0, 1 << 16).unwrap();
        let summary = Summary::new(region);
        assert!(summary.grow(blocks));
        let order = Order::new(3);
        assert_eq!(summary.lowest(order), None);
        for block in [16_383, 5_000, 64, 63] {
            summary.set(block, order);
            assert_eq!(summary.lowest(order), Some(block));
        }
        assert_eq!(summary.lowest(Order::new(4)), None);
        for (gone, lowest) in [(63, Some(64)), (64, Some(5_000)), (16_383, Some(5_000))] {
            summary.clear(gone, order);
            assert_eq!(summary.lowest(order), lowest);
        }
        summary.clear(5_000, order);
        assert_eq!(summary.lowest(order), None);
    }
}
