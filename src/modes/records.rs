//! All records of a mode, and queues of them.
//!
//! # Invariant
//!
//! A record that no block uses is on the list of vacant ones. Numbers begin with 1; 0 is none.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::record::{Record, State};
use crate::sys::{Region, Table};

/// Address space for records at least; what is asked for is halved while the kernel refuses.
const LEAST_BYTES: usize = 256 << 10;

// ORDERING: relaxed, see `record.rs`.

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
    pub(super) fn shrink(&self) {
        self.table.shrink(0);
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

/// A queue of records: the first in is the first out.
#[derive(Debug)]
pub(super) struct List {
    first: u32,
    last: u32,
}

impl List {
    /// No records.
    pub(super) const EMPTY: Self = Self { first: 0, last: 0 };

    /// Puts a record after the last one.
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
