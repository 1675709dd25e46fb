//! The memory of watched blocks: filling it and looking at it.
//!
//! # Invariant
//!
//! Ranges lie in blocks that the caller knows to be mapped; the program may write to those that it holds at any
//! moment, so they are read a byte at a time as volatile memory.

use core::ptr::{NonNull, with_exposed_provenance_mut};

use crate::slab::class;
use crate::sys::{self, page_size};

/// Fills `bytes` bytes from `address` on.
pub(super) fn fill(address: usize, byte: u8, bytes: usize) {
    let start = with_exposed_provenance_mut::<u8>(address);
    // SAFETY: the caller's range is mapped and not the program's at this moment.
    unsafe { start.write_bytes(byte, bytes) };
}

/// Makes `bytes` bytes from `address` on zeroes: what is whole pages by giving them back, as they may not have memory
/// yet.
pub(super) fn erase(address: usize, bytes: usize) {
    let is_pages = address.is_multiple_of(page_size()) && bytes.is_multiple_of(page_size());
    let start = NonNull::new(with_exposed_provenance_mut(address));
    // SAFETY: a block whose owner gave it up.
    let is_gone = |start| unsafe { sys::discard(start, bytes) };
    if !(is_pages && bytes > class::MAX_SMALL && start.is_some_and(is_gone)) {
        fill(address, 0, bytes);
    }
}

/// The byte at `address`.
pub(super) fn at(address: usize) -> u8 {
    let place = with_exposed_provenance_mut::<u8>(address);
    // SAFETY: the caller's address is mapped.
    unsafe { place.read_volatile() }
}

/// The first address from `start` to `end` with another byte than `byte`.
pub(super) fn first_other(start: usize, end: usize, byte: u8) -> Option<usize> {
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
    use super::*;

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
