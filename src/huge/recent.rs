//! Lengths of huge blocks that were asked to change theirs last and did not need to, for callers without the lock: a program
//! that appends asks again and again.
//!
//! # Invariant
//!
//! An entry holds for the block that begins at its address now: it is removed, under the lock, before that block ends or
//! changes its length.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::units::{BLOCK_SIZE, PAGE_SIZE};

/// Number of entries.
const KNOWN: usize = 8;
/// An entry is one word: the length in pages in the low bits, the number of the first page above.
const LENGTH_BITS: u32 = 28;

/// A table of blocks and their lengths; a block has one possible place.
#[derive(Debug)]
pub(super) struct Recent([AtomicU64; KNOWN]);

// ORDERING: relaxed. An entry is removed before the lock is released, and its address is handed out again under the same lock
// after that, so a caller that owns the new block cannot read the old entry.

impl Recent {
    /// An empty table.
    pub(super) const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; KNOWN])
    }

    /// Returns the usable bytes of the block at `address`, if it has an entry.
    #[inline]
    pub(super) fn bytes(&self, address: usize) -> Option<usize> {
        let word = self.place(address)?.load(Relaxed);
        let pages = word & ((1 << LENGTH_BITS) - 1);
        (word != 0 && word_of(address, pages) == Some(word)).then(|| pages as usize * PAGE_SIZE)
    }

    /// Enters a block. One that does not fit into a word stays out.
    pub(super) fn remember(&self, address: usize, bytes: usize) {
        let word = word_of(address, (bytes / PAGE_SIZE) as u64);
        if let (Some(place), Some(word)) = (self.place(address), word) {
            place.store(word, Relaxed);
        }
    }

    /// Removes the block at `address`.
    pub(super) fn forget(&self, address: usize) {
        if self.bytes(address).is_some()
            && let Some(place) = self.place(address)
        {
            place.store(0, Relaxed);
        }
    }

    fn place(&self, address: usize) -> Option<&AtomicU64> {
        self.0.get(address / BLOCK_SIZE % KNOWN)
    }
}

/// Returns the entry of a block, if it fits.
fn word_of(address: usize, pages: u64) -> Option<u64> {
    let page = (address / PAGE_SIZE) as u64;
    let fits = address.is_multiple_of(PAGE_SIZE)
        && page >> (u64::BITS - LENGTH_BITS) == 0
        && pages >> LENGTH_BITS == 0;
    fits.then_some(page << LENGTH_BITS | pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: usize = 0x7fff_1234_5000;

    #[test]
    fn a_block_is_known_until_it_is_forgotten() {
        let recent = Recent::new();
        assert_eq!(recent.bytes(START), None);
        recent.remember(START, 5 << 20);
        assert_eq!(recent.bytes(START), Some(5 << 20));
        assert_eq!(recent.bytes(START + 1), None);
        assert_eq!(recent.bytes(START + PAGE_SIZE), None);
        recent.forget(START + PAGE_SIZE);
        assert_eq!(recent.bytes(START), Some(5 << 20));
        recent.forget(START);
        assert_eq!(recent.bytes(START), None);
    }

    #[test]
    fn null_is_never_known() {
        assert_eq!(Recent::new().bytes(0), None);
    }

    #[test]
    fn what_fits_no_word_stays_unknown() {
        let recent = Recent::new();
        recent.remember(START, PAGE_SIZE << LENGTH_BITS);
        assert_eq!(recent.bytes(START), None);
        recent.remember(1 << 48, 5 << 20);
        assert_eq!(recent.bytes(1 << 48), None);
    }
}
