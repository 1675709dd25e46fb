//! Records of watched blocks, out of line: what was asked for, by whom, and what state the block is in.
//!
//! # Invariant
//!
//! A record that no block uses is on the list of vacant ones. Numbers begin with 1; 0 is none.

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::choice::Sort;
use super::trace::{Frames, Stack};
use super::{Caller, Family};
use crate::report::Line;
use crate::sys::{self, Region, Table, ZeroInit};

/// Address space for records at least; what is asked for is halved while the kernel refuses.
const LEAST_BYTES: usize = 256 << 10;

/// The most of a cache's name that is stored.
const TITLE: usize = 32;

/// The state of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No block uses the record.
    Vacant,
    /// The program has the block.
    InUse,
    /// The block was freed and rests.
    Resting,
    /// The block has rested and may be used again.
    Free,
}

/// What is known of a watched block.
#[derive(Debug)]
pub(super) struct Record {
    /// Where its memory begins, red zones and all.
    pub(super) base: AtomicUsize,
    /// Length of that.
    pub(super) room: AtomicUsize,
    /// The address that was handed out.
    pub(super) user: AtomicUsize,
    /// The bytes that were asked for.
    pub(super) bytes: AtomicUsize,
    /// The next in a queue or a list.
    next: AtomicU32,
    state: AtomicU8,
    sort: AtomicU8,
    /// Whose function allocated it.
    family: AtomicU8,
    /// The slabs' owner, of an object of a named cache, and the beginning of that cache's name.
    owner: AtomicU32,
    title: [AtomicU8; TITLE],
    /// Who allocated it.
    pub(super) allocated: Track,
    /// Who freed it.
    pub(super) freed: Track,
}

/// Who did something to a block, and when.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) stack: Stack,
    pub(super) thread: AtomicU32,
    pub(super) at: AtomicU64,
}

// SAFETY: made of atomics; zero is a vacant record.
unsafe impl ZeroInit for Record {}

// ORDERING: relaxed throughout this file. The owner's lock orders all accesses but those of a report about a fault,
// which takes what it finds.

impl Record {
    /// Takes note of a block that is in use from now on.
    pub(super) fn begin(&self, sort: Sort, user: usize, bytes: usize, caller: Caller) {
        self.sort.store(sort.number(), Relaxed);
        self.user.store(user, Relaxed);
        self.bytes.store(bytes, Relaxed);
        self.family.store(caller.family as u8, Relaxed);
        let named = caller.named;
        let (owner, title) = named.map_or((0, &[][..]), |it| (it.owner, it.title));
        self.owner.store(owner, Relaxed);
        let letters = title.iter().copied().chain(core::iter::repeat(0));
        for (place, letter) in self.title.iter().zip(letters) {
            place.store(letter, Relaxed);
        }
        self.set_state(State::InUse);
    }

    /// Tells where the block's memory is, which is of that sort.
    pub(super) fn place(&self, sort: Sort, base: usize, room: usize) {
        self.sort.store(sort.number(), Relaxed);
        self.base.store(base, Relaxed);
        self.room.store(room, Relaxed);
    }

    /// The address that was handed out.
    pub(super) fn user(&self) -> usize {
        self.user.load(Relaxed)
    }

    /// The bytes that were asked for.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Where what was asked for ends.
    pub(super) fn user_end(&self) -> usize {
        self.user() + self.bytes()
    }

    /// Where the memory begins.
    pub(super) fn base(&self) -> usize {
        self.base.load(Relaxed)
    }

    /// Length of the memory.
    pub(super) fn room(&self) -> usize {
        self.room.load(Relaxed)
    }

    /// Where the memory ends.
    pub(super) fn end(&self) -> usize {
        self.base() + self.room()
    }

    /// What the block is called by.
    pub(super) fn sort(&self) -> Sort {
        Sort::from_number(self.sort.load(Relaxed))
    }

    /// The owner of an object of a named cache, 0 of any other block.
    pub(super) fn owner(&self) -> u32 {
        self.owner.load(Relaxed)
    }

    /// Appends the name of the block's cache.
    pub(super) fn name<const N: usize>(&self, line: &mut Line<N>) {
        if self.owner() == 0 {
            return self.sort().name(line);
        }
        for byte in self.title.iter().map(|it| it.load(Relaxed)) {
            match byte {
                0 => break,
                b' '..=b'~' => line.raw(&[byte]),
                _ => line.text("?"),
            };
        }
    }

    /// Whose function allocated it.
    pub(super) fn family(&self) -> Family {
        Family::from_number(self.family.load(Relaxed))
    }

    /// The block's state.
    pub(super) fn state(&self) -> State {
        match self.state.load(Relaxed) {
            1 => State::InUse,
            2 => State::Resting,
            3 => State::Free,
            _ => State::Vacant,
        }
    }

    /// Changes the state.
    pub(super) fn set_state(&self, state: State) {
        self.state.store(state as u8, Relaxed);
    }
}

impl Track {
    /// Takes note of the caller, whose stack is that.
    pub(super) fn note(&self, thread: u32, frames: &Frames) {
        self.stack.store(frames);
        self.thread.store(thread, Relaxed);
        self.at.store(sys::milliseconds(), Relaxed);
    }

    /// Forgets who it was.
    pub(super) fn forget(&self) {
        self.at.store(0, Relaxed);
    }
}

/// All records of a mode. What changes which of them are used holds the owner's lock.
#[derive(Debug)]
pub(super) struct Records {
    table: Table<Record>,
    used: AtomicU32,
    /// The first vacant one of those.
    vacant: AtomicU32,
}

impl Records {
    /// No records yet, and room for as many as `bytes` hold, or fewer; `None` where no address space is left.
    pub(super) fn new(bytes: usize) -> Option<Self> {
        let mut bytes = bytes.next_multiple_of(1 << 16).max(LEAST_BYTES);
        while bytes >= LEAST_BYTES {
            if let Some(region) = Region::reserve_fenced(bytes, 0, 1 << 16) {
                return Some(Self {
                    table: Table::new(region),
                    used: AtomicU32::new(0),
                    vacant: AtomicU32::new(0),
                });
            }
            bytes = (bytes / 2).next_multiple_of(1 << 16);
        }
        None
    }

    /// Gives the address space that no record lies in back; the caller holds the owner's lock.
    pub(super) fn cut(&self) {
        self.table.cut(0);
    }

    /// The record with this number.
    pub(super) fn get(&self, number: u32) -> &Record {
        self.table.get(number.saturating_sub(1) as usize)
    }

    /// The records that were ever used.
    pub(super) fn all(&self) -> impl Iterator<Item = &Record> {
        (1..=self.used.load(Relaxed)).map(|number| self.get(number))
    }

    /// A vacant record's number; `None` where there is no memory for one.
    pub(super) fn take(&self) -> Option<u32> {
        let number = self.vacant.load(Relaxed);
        if number == 0 {
            return self.take_row(1);
        }
        let next = self.get(number).next.load(Relaxed);
        self.vacant.store(next, Relaxed);
        Some(number)
    }

    /// The first of `count` records in a row, which are never given back.
    pub(super) fn take_row(&self, count: u32) -> Option<u32> {
        let used = self.used.load(Relaxed);
        let end = used.checked_add(count)?;
        if !self.table.grow(end as usize) {
            return None;
        }
        self.used.store(end, Relaxed);
        Some(used + 1)
    }

    /// Gives a record back.
    pub(super) fn give(&self, number: u32) {
        let record = self.get(number);
        record.set_state(State::Vacant);
        record.next.store(self.vacant.load(Relaxed), Relaxed);
        self.vacant.store(number, Relaxed);
    }
}

/// Records one behind the other: the first in is the first out.
#[derive(Debug)]
pub(super) struct List {
    first: u32,
    last: u32,
}

impl List {
    /// No records.
    pub(super) const EMPTY: Self = Self { first: 0, last: 0 };

    /// Puts a record behind the last one.
    pub(super) fn append(&mut self, records: &Records, number: u32) {
        records.get(number).next.store(0, Relaxed);
        match core::mem::replace(&mut self.last, number) {
            0 => self.first = number,
            last => records.get(last).next.store(number, Relaxed),
        }
    }

    /// Takes the first record out.
    pub(super) fn pop(&mut self, records: &Records) -> Option<u32> {
        let number = self.first;
        if number == 0 {
            return None;
        }
        self.first = records.get(number).next.load(Relaxed);
        if self.first == 0 {
            self.last = 0;
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_used_again_and_lists_keep_their_order() {
        let records = Records::new(1 << 20).unwrap();
        let [one, two, three] = [(); 3].map(|()| records.take().unwrap());
        records.give(two);
        assert_eq!(records.take(), Some(two));
        assert_eq!(records.take_row(4), Some(4));
        let mut list = List::EMPTY;
        for number in [three, one, two] {
            list.append(&records, number);
        }
        let order = core::iter::from_fn(|| list.pop(&records));
        assert!(order.eq([three, one, two]));
        list.append(&records, two);
        assert_eq!((list.pop(&records), list.pop(&records)), (Some(two), None));
        assert_eq!(records.all().count(), 7);
    }
}
