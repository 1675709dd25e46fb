//! The memory of blocks: filling it and looking at it.
//!
//! # Invariant
//!
//! Ranges lie in blocks that the caller knows to be mapped; the program may write to those that it holds at any
//! moment, so they are read a byte at a time as volatile memory.

use core::ptr::{NonNull, with_exposed_provenance_mut};

use crate::slab::class;
use crate::sys::{self, page_size};

/// Fills `bytes` bytes from `address` on.
pub(crate) fn fill(address: usize, byte: u8, bytes: usize) {
    let start = with_exposed_provenance_mut::<u8>(address);
    // SAFETY: the caller's range is mapped and not the program's at this moment.
    unsafe { start.write_bytes(byte, bytes) };
}

/// Makes all bytes from `start` to `end` zeroes: whole pages by giving them back if they are many, as they may not have
/// memory yet.
pub(super) fn erase(start: usize, end: usize) {
    let page = page_size();
    let first = start.next_multiple_of(page).min(end);
    let last = (end / page * page).max(first);
    let place = NonNull::new(with_exposed_provenance_mut(first));
    // SAFETY: whole pages of a block whose content its owner gave up.
    let is_gone = |place| unsafe { sys::discard(place, last - first) };
    if last - first > class::MAX_SMALL && place.is_some_and(is_gone) {
        fill(start, 0, first - start);
        fill(last, 0, end - last);
    } else {
        fill(start, 0, end.saturating_sub(start));
    }
}

/// The byte at `address`.
pub(crate) fn at(address: usize) -> u8 {
    let place = with_exposed_provenance_mut::<u8>(address);
    // SAFETY: the caller's address is mapped.
    unsafe { place.read_volatile() }
}

/// The first address from `start` to `end` with another byte than `byte`.
pub(crate) fn first_other(start: usize, end: usize, byte: u8) -> Option<usize> {
    let word = u64::from_ne_bytes([byte; 8]);
    let mut address = start;
    while address < end {
        if address.is_multiple_of(8) && end - address >= 8 && word_at(address) == word {
            address += 8;
        } else if at(address) == byte {
            address += 1;
        } else {
            return Some(address);
        }
    }
    None
}

fn word_at(address: usize) -> u64 {
    let place = with_exposed_provenance_mut::<u64>(address);
    // SAFETY: as above, and the caller has seen that it is aligned.
    unsafe { place.read_volatile() }
}

/// The last address from `start` to `end` with another byte than `byte`.
pub(super) fn last_other(start: usize, end: usize, byte: u8) -> Option<usize> {
    (start..end).rev().find(|address| at(*address) != byte)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    #[cfg(not(simulated))]
    fn what_is_erased_is_zero_and_its_neighbours_are_not() {
        let page = page_size();
        for (from, bytes) in [
            (0, 0),
            (3, 50),
            (1, 20 * page),
            (page, 16 * page),
            (page - 1, 2),
            (2 * page - 7, 18 * page + 9),
        ] {
            let mut memory = std::vec![7_u8; 24 * page];
            let first = memory.as_mut_ptr().expose_provenance();
            let start = first.next_multiple_of(page) + page + from;
            erase(start, start + bytes);
            let is_zero = first_other(start, start + bytes, 0).is_none();
            assert!(is_zero, "{bytes} from {from}");
            assert_eq!((at(start - 1), at(start + bytes)), (7, 7));
        }
    }

    #[test]
    fn the_first_and_the_last_other_byte_are_found() {
        let mut memory = [7_u8; 64];
        let start = memory.as_mut_ptr().expose_provenance();
        let end = start + 64;
        assert_eq!(first_other(start, end, 7), None);
        fill(start + 10, 8, 5);
        assert_eq!(first_other(start, end, 7), Some(start + 10));
        assert_eq!(last_other(start, end, 7), Some(start + 14));
        assert_eq!((at(start + 12), at(start + 15)), (8, 7));
    }
}
