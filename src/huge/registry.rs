//! All huge mappings, found by address: a hash table that doubles when it is half full.
//!
//! # Invariant
//!
//! A mapping stands at its hash's place or behind it with no gap between, so a search ends at
//! the first empty cell.
#![forbid(unsafe_code)]

use crate::sys::{Mapping, MappingCell, Region, Table};

const FIRST_CELLS: usize = 256;

/// Mappings by address.
#[derive(Debug)]
pub(super) struct Registry {
    cells: Option<Table<MappingCell>>,
    mask: usize,
    count: usize,
    bytes: usize,
}

impl Registry {
    /// No mappings.
    pub(super) const fn new() -> Self {
        Self {
            cells: None,
            mask: 0,
            count: 0,
            bytes: 0,
        }
    }

    /// Number of mappings.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Bytes of all mappings.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives the table back if there are no mappings in it.
    pub(super) fn abandon(&mut self) {
        if self.count == 0
            && let Some(cells) = self.cells.take()
        {
            cells.give_back();
            self.mask = 0;
        }
    }

    /// Makes sure that one more mapping fits.
    pub(super) fn make_room(&mut self) -> bool {
        if self.cells.is_some() && self.count < self.mask / 2 {
            return true;
        }
        let cells = if self.cells.is_some() {
            (self.mask + 1) * 2
        } else {
            FIRST_CELLS
        };
        let Some(region) =
            Region::reserve_fenced(Table::<MappingCell>::bytes_for(cells), 0, 1 << 16)
        else {
            return false;
        };
        let table = Table::new(region);
        if !table.grow(cells) {
            table.give_back();
            return false;
        }
        let (old, old_mask) = (self.cells.replace(table), self.mask);
        self.mask = cells - 1;
        self.count = 0;
        self.bytes = 0;
        if let Some(old) = old {
            (0..=old_mask)
                .filter_map(|place| old.get(place).take())
                .for_each(|it| self.insert(it));
            // The addresses stay reserved; all old tables together are smaller than the new one.
            old.purge();
        }
        true
    }

    /// Adds a mapping, for which there is room.
    pub(super) fn insert(&mut self, mapping: Mapping) {
        let Some(cells) = &self.cells else {
            return mapping.unmap();
        };
        self.count += 1;
        self.bytes += mapping.bytes();
        let mut place = hash(mapping.address()) & self.mask;
        while cells.get(place).address() != 0 {
            place = (place + 1) & self.mask;
        }
        cells.get(place).put(mapping);
    }

    /// The length of the mapping at `address`.
    pub(super) fn bytes_at(&self, address: usize) -> Option<usize> {
        let cells = self.cells.as_ref()?;
        Some(cells.get(self.find(address)?).bytes())
    }

    /// Whether `address` lies inside a mapping, not at its start; looks at all of them.
    pub(super) fn is_inside(&self, address: usize) -> bool {
        let Some(cells) = &self.cells else {
            return false;
        };
        (0..=self.mask).map(|place| cells.get(place)).any(|cell| {
            let start = cell.address();
            start != 0 && address > start && address - start < cell.bytes()
        })
    }

    /// Takes the mapping at `address` out.
    pub(super) fn remove(&mut self, address: usize) -> Option<Mapping> {
        let mut gap = self.find(address)?;
        let cells = self.cells.as_ref()?;
        let mapping = cells.get(gap).take()?;
        self.count -= 1;
        self.bytes -= mapping.bytes();
        // Whoever stands behind the gap and does not belong there moves up.
        let mut place = (gap + 1) & self.mask;
        while cells.get(place).address() != 0 {
            let home = hash(cells.get(place).address()) & self.mask;
            if (place.wrapping_sub(home) & self.mask) >= (place.wrapping_sub(gap) & self.mask) {
                if let Some(moved) = cells.get(place).take() {
                    cells.get(gap).put(moved);
                }
                gap = place;
            }
            place = (place + 1) & self.mask;
        }
        Some(mapping)
    }

    fn find(&self, address: usize) -> Option<usize> {
        let cells = self.cells.as_ref()?;
        let mut place = hash(address) & self.mask;
        loop {
            match cells.get(place).address() {
                0 => return None,
                found if found == address => return Some(place),
                _ => place = (place + 1) & self.mask,
            }
        }
    }
}

fn hash(address: usize) -> usize {
    // Fibonacci hashing: page numbers are nearly consecutive.
    ((address >> 12) as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_right(40) as usize
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_thousand_mappings_come_and_go_in_any_order() {
        let mut registry = Registry::new();
        let mut addresses = Vec::new();
        for pages in 1..=1000 {
            assert!(registry.make_room());
            let mapping = Mapping::new(pages % 7 * 4096 + 1, 1).unwrap();
            addresses.push((mapping.address(), mapping.bytes()));
            registry.insert(mapping);
        }
        assert_eq!(registry.count(), 1000);
        assert_eq!(
            registry.bytes(),
            addresses.iter().map(|(_, bytes)| bytes).sum::<usize>()
        );
        while !addresses.is_empty() {
            let (address, bytes) = addresses.swap_remove(addresses.len() * 7 / 11);
            assert_eq!(registry.bytes_at(address), Some(bytes));
            registry.remove(address).unwrap().unmap();
            assert!(registry.remove(address).is_none());
            for (address, bytes) in addresses.iter().take(20) {
                assert_eq!(registry.bytes_at(*address), Some(*bytes));
            }
        }
        assert_eq!((registry.count(), registry.bytes()), (0, 0));
    }
}
