//! Which pageblocks have a free block of an order, and which have memory to give back: bits over bits, so the
//! lowest or the highest is found in three steps.
//!
//! # Invariant
//!
//! A bit of a level is set exactly if the word below it is not zero; a bit of the lowest level
//! exactly if its pageblock is of that kind and has a free block of that order. A pageblock with free dirty pages that can go back has
//! its bit for that; one without may have it until somebody visits. Written under the arena's lock.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::kind::{KINDS, Kind};
use crate::layout::{Row, fields};
use crate::report::internal_error;
use crate::sys::{Region, Table, ZeroInit};
use crate::units::{ORDERS, Order};

/// One word for each kind and order, and one for dirty pages.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Words([AtomicU64; KINDS * ORDERS + 1]);

/// What a bit says of its pageblock.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    /// It is of this kind and has a free block of this order.
    Free(Kind, Order),
    /// There may be free dirty pages.
    Dirty,
}

impl Mark {
    const fn column(self) -> usize {
        match self {
            Self::Free(kind, order) => kind.index() * ORDERS + order.index(),
            Self::Dirty => KINDS * ORDERS,
        }
    }
}

// SAFETY: made of atomics, and zero is a number.
unsafe impl ZeroInit for Words {}

/// Words of the three levels, the highest first, for `blocks` pageblocks. The higher ones of a usual arena share a page with the
/// beginning of the lowest.
const fn words_for(blocks: usize) -> [usize; 3] {
    let lowest = blocks.div_ceil(64);
    let middle = lowest.div_ceil(64);
    [middle.div_ceil(64), middle, lowest]
}

const LOWEST: usize = 2;

// ORDERING: relaxed throughout this file; the arena's lock orders all accesses.

/// The levels, one after the other in one table that grows at the lowest level.
#[derive(Debug)]
pub(super) struct Summary {
    table: Table<Words>,
    /// Where each level begins.
    levels: [usize; LOWEST + 1],
}

impl Summary {
    /// Where its fields lie, for readers outside of the process.
    pub(super) const LAYOUT: &[Row] = fields!(Self as "summary" {
        table as words in Table::<Words>::ENTRIES,
        table as ready in Table::<Words>::READY,
        levels,
    });

    /// Bytes to reserve for `blocks` pageblocks.
    pub(super) const fn bytes_for(blocks: usize) -> usize {
        let [top, middle, lowest] = words_for(blocks);
        Table::<Words>::bytes_for(top + middle + lowest)
    }

    /// A summary of at most `blocks` pageblocks over `region`: nothing is free.
    pub(super) fn new(region: Region, blocks: usize) -> Self {
        let [top, middle, _] = words_for(blocks);
        Self {
            table: Table::new(region),
            levels: [0, top, top + middle],
        }
    }

    /// Makes room for `blocks` pageblocks.
    pub(super) fn grow(&self, blocks: usize) -> bool {
        let [_, _, first] = self.levels;
        self.table.grow(first + blocks.div_ceil(64))
    }

    /// The lowest pageblock that has the mark.
    pub(super) fn lowest(&self, mark: Mark) -> Option<usize> {
        let bits = |level, word| self.word(level, word, mark).load(Relaxed);
        let [_, top, _] = self.levels;
        let (word, top) = (0..top)
            .map(|word| (word, bits(0, word)))
            .find(|(_, bits)| *bits != 0)?;
        let middle = word * 64 + top.trailing_zeros() as usize;
        let low = middle * 64 + bits(1, middle).trailing_zeros() as usize;
        Some(low * 64 + bits(2, low).trailing_zeros() as usize)
    }

    /// The highest pageblock below `end` that is marked dirty and has a free block of at least the order `least`.
    pub(super) fn highest_dirty(&self, end: usize, least: Order) -> Option<usize> {
        let mut end = end;
        loop {
            let block = self.highest(LOWEST, end, Mark::Dirty)?;
            let word = block / 64;
            let orders = || (least.index()..ORDERS).map(|order| Order::new(order as u32));
            let marks = Kind::ALL
                .into_iter()
                .flat_map(|kind| orders().map(move |order| Mark::Free(kind, order)));
            let free = marks.fold(0, |all, mark| {
                all | self.word(LOWEST, word, mark).load(Relaxed)
            });
            let bits = free & self.word(LOWEST, word, Mark::Dirty).load(Relaxed);
            if let Some(found) = highest_bit(bits, block % 64 + 1) {
                return Some(word * 64 + found);
            }
            end = word * 64;
        }
    }

    /// The highest bit of a level below the bit `end`.
    fn highest(&self, level: usize, end: usize, mark: Mark) -> Option<usize> {
        let last = end.checked_sub(1)?;
        let found = |word: usize, end| {
            let bits = self.word(level, word, mark).load(Relaxed);
            Some(word * 64 + highest_bit(bits, end)?)
        };
        found(last / 64, last % 64 + 1).or_else(|| {
            let word = match level.checked_sub(1) {
                Some(above) => self.highest(above, last / 64, mark)?,
                None => return (0..last / 64).rev().find_map(|word| found(word, 64)),
            };
            found(word, 64)
        })
    }

    /// Marks `block`.
    pub(super) fn set(&self, block: usize, mark: Mark) {
        let mut place = block;
        for level in (0..=LOWEST).rev() {
            let word = self.word(level, place / 64, mark);
            let (before, bit) = (word.load(Relaxed), 1 << (place % 64));
            if before & bit != 0 {
                return;
            }
            word.store(before | bit, Relaxed);
            if before != 0 {
                return;
            }
            place /= 64;
        }
    }

    /// Takes the mark off `block`.
    pub(super) fn clear(&self, block: usize, mark: Mark) {
        let mut place = block;
        for level in (0..=LOWEST).rev() {
            let word = self.word(level, place / 64, mark);
            let after = word.load(Relaxed) & !(1 << (place % 64));
            word.store(after, Relaxed);
            if after != 0 {
                return;
            }
            place /= 64;
        }
    }

    /// Whether `block` is marked.
    pub(super) fn has(&self, block: usize, mark: Mark) -> bool {
        self.word(LOWEST, block / 64, mark).load(Relaxed) >> (block % 64) & 1 != 0
    }

    /// Bytes of memory in use.
    pub(super) fn committed_bytes(&self) -> usize {
        self.table.committed_bytes()
    }

    fn word(&self, level: usize, word: usize, mark: Mark) -> &AtomicU64 {
        let start = self.levels.get(level).copied().unwrap_or_default();
        match self.table.get(start + word).0.get(mark.column()) {
            Some(word) => word,
            None => internal_error("no such order"),
        }
    }
}

/// The highest set bit below the bit `end`, which is 1 ..= 64.
fn highest_bit(bits: u64, end: usize) -> Option<usize> {
    (bits & u64::MAX >> (64 - end))
        .checked_ilog2()
        .map(|bit| bit as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_set_block_is_found_anywhere() {
        let blocks = 1 << 14;
        let region = Region::reserve(Summary::bytes_for(blocks), 0, 1 << 16).unwrap();
        let summary = Summary::new(region, blocks);
        assert!(summary.grow(blocks));
        let mark = Mark::Free(Kind::Slabs, Order::new(3));
        assert_eq!(summary.lowest(mark), None);
        for block in [16_383, 5_000, 64, 63] {
            summary.set(block, mark);
            assert_eq!(summary.lowest(mark), Some(block));
        }
        assert_eq!(summary.lowest(Mark::Free(Kind::Any, Order::new(3))), None);
        for (gone, lowest) in [(63, Some(64)), (64, Some(5_000)), (16_383, Some(5_000))] {
            summary.clear(gone, mark);
            assert_eq!(summary.lowest(mark), lowest);
        }
        summary.clear(5_000, mark);
        assert_eq!(summary.lowest(mark), None);
    }

    #[test]
    fn the_highest_dirty_block_with_room_enough_is_found_anywhere() {
        let blocks = 1 << 19;
        let region = Region::reserve(Summary::bytes_for(blocks), 0, 1 << 16).unwrap();
        let summary = Summary::new(region, blocks);
        assert!(summary.grow(blocks));
        let (small, large) = (Order::new(0), Order::new(9));
        assert_eq!(summary.highest_dirty(blocks, small), None);
        for block in [0, 63, 64, 4_096, 300_000, blocks - 1] {
            summary.set(block, Mark::Dirty);
            summary.set(
                block,
                Mark::Free(Kind::Large, if block % 2 == 0 { large } else { small }),
            );
        }
        let all = |least| {
            let mut end = blocks;
            core::iter::from_fn(move || {
                end = summary.highest_dirty(end, least)?;
                Some(end)
            })
        };
        assert!(all(large).eq([300_000, 4_096, 64, 0]));
    }
}
