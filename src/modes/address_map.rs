//! Numbers by address: a hash table that doubles when it is half full.
//!
//! # Invariant
//!
//! A key stands at its hash's place or after it with no gap between, so a search ends at the first empty cell.
//! Key 0 is an empty cell.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::sys::{Region, Table, ZeroInit};

const FIRST_CELLS: usize = 1024;

/// A key and its two numbers.
#[derive(Debug)]
pub(super) struct Cell {
    key: AtomicUsize,
    values: [AtomicUsize; 2],
}

// SAFETY: made of atomics; a key of zero is an empty cell.
unsafe impl ZeroInit for Cell {}

/// What a map knows of an address.
pub(super) type Values = [usize; 2];

/// A map from addresses to numbers; its owner holds a lock.
#[derive(Debug)]
pub(super) struct AddressMap {
    cells: Option<Table<Cell>>,
    mask: usize,
    count: usize,
}

// ORDERING: relaxed; the owner's lock orders all accesses.

impl AddressMap {
    /// An empty map.
    pub(super) const fn new() -> Self {
        Self {
            cells: None,
            mask: 0,
            count: 0,
        }
    }

    /// The values of `key`.
    pub(super) fn get(&self, key: usize) -> Option<Values> {
        self.find(key).map(Cell::values)
    }

    /// Changes the values of `key`, if it is there.
    pub(super) fn set(&self, key: usize, values: Values) {
        if let Some(cell) = self.find(key) {
            cell.put(key, values);
        }
    }

    /// Adds a key that is not there yet; `false` where there is no memory.
    pub(super) fn insert(&mut self, key: usize, values: Values) -> bool {
        if self.count >= self.mask / 2 && !self.double() {
            return false;
        }
        self.count += 1;
        self.add(key, values);
        true
    }

    /// Takes a key out.
    pub(super) fn remove(&mut self, key: usize) -> Option<Values> {
        let cells = self.cells.as_ref()?;
        let mut gap = self.place_of(key)?;
        let values = cells.get(gap).values();
        self.count -= 1;
        let mut place = gap;
        loop {
            place = (place + 1) & self.mask;
            let cell = cells.get(place);
            let key = cell.key();
            if key == 0 {
                break;
            }
            // A key after the gap that belongs before it moves up.
            let way = place.wrapping_sub(self.home(key)) & self.mask;
            if way >= place.wrapping_sub(gap) & self.mask {
                cells.get(gap).put(key, cell.values());
                gap = place;
            }
        }
        cells.get(gap).put(0, [0; 2]);
        Some(values)
    }

    fn find(&self, key: usize) -> Option<&Cell> {
        let place = self.place_of(key)?;
        self.cells.as_ref().map(|cells| cells.get(place))
    }

    fn place_of(&self, key: usize) -> Option<usize> {
        let cells = self.cells.as_ref()?;
        let mut place = self.home(key);
        loop {
            match cells.get(place).key() {
                0 => return None,
                found if found == key => return Some(place),
                _ => place = (place + 1) & self.mask,
            }
        }
    }

    fn add(&self, key: usize, values: Values) {
        let Some(cells) = &self.cells else {
            return;
        };
        let mut place = self.home(key);
        while cells.get(place).key() != 0 {
            place = (place + 1) & self.mask;
        }
        cells.get(place).put(key, values);
    }

    fn double(&mut self) -> bool {
        let cells = ((self.mask + 1) * 2).max(FIRST_CELLS);
        let Some(region) = Region::reserve_fenced(Table::<Cell>::bytes_for(cells), 0, 1 << 16)
        else {
            return false;
        };
        let table = Table::new(region);
        if !table.grow(cells) {
            return false;
        }
        let old = self.cells.replace(table);
        let old_mask = core::mem::replace(&mut self.mask, cells - 1);
        if let Some(old) = old {
            for cell in (0..=old_mask).map(|place| old.get(place)) {
                if cell.key() != 0 {
                    self.add(cell.key(), cell.values());
                }
            }
            // The addresses stay reserved; all old tables together are smaller than the new one.
            old.purge();
        }
        true
    }

    fn home(&self, key: usize) -> usize {
        // Fibonacci hashing; the lowest four bits of an address say nothing.
        ((key >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) & self.mask
    }
}

impl Cell {
    fn key(&self) -> usize {
        self.key.load(Relaxed)
    }

    fn values(&self) -> Values {
        let [first, second] = &self.values;
        [first.load(Relaxed), second.load(Relaxed)]
    }

    fn put(&self, key: usize, [first, second]: Values) {
        let [one, two] = &self.values;
        self.key.store(key, Relaxed);
        one.store(first, Relaxed);
        two.store(second, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found_until_it_is_taken_out() {
        let mut map = AddressMap::new();
        assert_eq!((map.get(16), map.remove(16)), (None, None));
        for number in 1..=5000 {
            assert!(map.insert(number * 16, [number, number + 1]));
        }
        for number in (1..=5000).step_by(2) {
            assert_eq!(map.remove(number * 16), Some([number, number + 1]));
        }
        for number in 1..=5000 {
            let there = (number % 2 == 0).then_some([number, number + 1]);
            assert_eq!(map.get(number * 16), there);
        }
        map.set(32, [7, 8]);
        map.set(48, [7, 8]);
        assert_eq!((map.get(32), map.get(48)), (Some([7, 8]), None));
    }
}
