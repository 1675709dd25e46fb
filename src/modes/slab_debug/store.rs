//! The memory of debugged blocks: chunks that are cut into small ones, a shelf for each class, and the queue of what
//! was freed.
//!
//! # Invariant
//!
//! A record is in the queue while its block is quarantined, then on its class's shelf, else on neither.
#![forbid(unsafe_code)]

use super::super::address_map::AddressMap;
use super::super::record::{Record, State};
use super::super::records::{List, Records};
use super::super::sort::Sort;
use super::super::zone::LEAST;
use crate::slab::{Object, class};
use crate::units::ClassId;

/// Small blocks are cut from chunks of this length, at multiples of it.
pub(super) const CHUNK: usize = 256 << 10;

/// Where debugged blocks are, and what becomes of freed ones. Its owner holds a lock.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Records of blocks with memory of their own, by the address that was handed out, and by that of their memory: to
    /// the heap that is a block, which nobody may free but the queue below.
    singles: AddressMap,
    /// By a chunk's address: the record of its first block, and its class.
    chunks: AddressMap,
    shelves: [Shelf; class::CLASSES + 1],
    /// What was freed, the oldest first, and how many bytes that is.
    quarantined: List,
    quarantined_bytes: usize,
}

/// Memory for blocks of a class.
#[derive(Debug)]
struct Shelf {
    /// Blocks that left the quarantine.
    free: List,
    /// Blocks of the newest chunk that were never used: the first one's record, and how many.
    fresh: (u32, u32),
}

/// Bytes between two blocks of a chunk.
fn stride(id: ClassId) -> usize {
    LEAST + class::info(id).size as usize + LEAST
}

impl Shelf {
    const EMPTY: Self = Self {
        free: List::EMPTY,
        fresh: (0, 0),
    };
}

impl Blocks {
    /// No blocks.
    pub(super) const fn new() -> Self {
        Self {
            singles: AddressMap::new(),
            chunks: AddressMap::new(),
            shelves: [const { Shelf::EMPTY }; class::CLASSES + 1],
            quarantined: List::EMPTY,
            quarantined_bytes: 0,
        }
    }

    /// Bytes in quarantine.
    pub(super) fn quarantined_bytes(&self) -> usize {
        self.quarantined_bytes
    }

    /// Enters a block with memory of its own, which begins at `base`; `false` where there is no memory for that.
    pub(super) fn add_single(&mut self, base: usize, user: usize, number: u32) -> bool {
        let values = [number as usize, 0];
        if !self.singles.insert(user, values) {
            return false;
        }
        let done = self.singles.insert(base, values);
        if !done {
            let _ = self.singles.remove(user);
        }
        done
    }

    /// The record of the block that `address` belongs to.
    pub(super) fn find(&self, address: usize) -> Option<u32> {
        if let Some([number, _]) = self.singles.get(address) {
            return Some(number as u32);
        }
        let chunk = address / CHUNK * CHUNK;
        let [first, id] = self.chunks.get(chunk)?;
        let id = ClassId(id as u8);
        let index = (address - chunk) / stride(id).max(1);
        (index < in_chunk(id)).then_some((first + index) as u32)
    }

    /// A block of the class that left the quarantine.
    pub(super) fn take_free(&mut self, records: &Records, id: ClassId) -> Option<u32> {
        self.shelves.get_mut(id.index())?.free.pop(records)
    }

    /// A block of the class that was never used.
    pub(super) fn take_fresh(&mut self, id: ClassId) -> Option<u32> {
        let (first, left) = &mut self.shelves.get_mut(id.index())?.fresh;
        *left = left.checked_sub(1)?;
        *first += 1;
        Some(*first - 1)
    }

    /// Whether there are blocks of the class that were never used.
    pub(super) fn has_fresh(&self, id: ClassId) -> bool {
        let shelf = self.shelves.get(id.index());
        shelf.is_some_and(|shelf| shelf.fresh.1 > 0)
    }

    /// Cuts a chunk into blocks; `false` where there is no memory for their records.
    pub(super) fn add_chunk(&mut self, records: &Records, start: usize, id: ClassId) -> bool {
        let count = in_chunk(id);
        let Some(first) = records.take_row(count as u32) else {
            return false;
        };
        if !self.chunks.insert(start, [first as usize, id.index()]) {
            return false;
        }
        for (number, base) in (first..).zip((start..).step_by(stride(id))).take(count) {
            records
                .get(number)
                .place(Sort::of_class(id), base, stride(id));
        }
        if let Some(shelf) = self.shelves.get_mut(id.index()) {
            shelf.fresh = (first, count as u32);
        }
        true
    }

    /// Quarantines a freed block.
    pub(super) fn quarantine(&mut self, records: &Records, number: u32, room: usize) {
        self.quarantined_bytes += room;
        self.quarantined.append(records, number);
    }

    /// Ends the quarantine of the oldest block; its memory, if that goes back to the heap.
    pub(super) fn release_oldest(
        &mut self,
        records: &Records,
        check: impl Fn(&Record),
    ) -> Option<Object> {
        let number = self.quarantined.pop(records)?;
        let record = records.get(number);
        self.quarantined_bytes = self.quarantined_bytes.saturating_sub(record.room());
        check(record);
        let (user, base) = (record.user(), record.base());
        if self.singles.remove(user).is_some() {
            let _ = self.singles.remove(base);
            records.give(number);
            return Object::new(core::ptr::with_exposed_provenance_mut(base));
        }
        record.set_state(State::Free);
        let sort = record.sort().class();
        let shelf = sort.and_then(|id| self.shelves.get_mut(id.index()))?;
        shelf.free.append(records, number);
        None
    }
}

/// Blocks of a class that a chunk holds.
fn in_chunk(id: ClassId) -> usize {
    CHUNK / stride(id).max(1)
}
