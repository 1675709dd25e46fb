//! Huge blocks that were taken or asked to change their length last, for callers without the lock: a program that appends
//! asks again and again, and one that allocates and frees one block gets it back again and again.
//!
//! # Invariant
//!
//! An entry holds for the block that begins at its address now: it is removed, under the lock, before that block ends or
//! changes its length. A *parked* block was freed, and is still in use for the extents. A thread that takes the lock to look at
//! blocks ends what is parked first (`Huge::open`), so that it finds all blocks in use but for those freed meanwhile.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, SeqCst},
};

use crate::units::{BLOCK_SIZE, PAGE_SIZE};

/// Number of entries.
const KNOWN: usize = 8;
/// An entry is one word: two bits, above them the length in pages, and above that the number of the first page.
pub(super) const PARKED: u64 = 1;
const MAY_PARK: u64 = 2;
pub(super) const FLAGS: u32 = 2;
pub(super) const PAGE_SHIFT: u32 = 28;
/// All parked blocks together have at most this many bytes, if as many may be kept.
const MOST_PARKED: usize = 32 << 20;
/// A parked block serves a request whole if no more than this share of the request is left over.
const REST_SHARE: usize = 8;

/// A table of blocks and their lengths; a block has one possible place.
#[derive(Debug)]
pub(super) struct Recent {
    pub(super) entries: [AtomicU64; KNOWN],
    /// What is kept and what is parked are together no more than that.
    reuse_bytes: usize,
}

// ORDERING: relaxed where nothing else is said. An entry is removed before the lock is released, and its address is handed
// out again under the same lock after that, so a caller that owns the new block cannot read the old entry.

impl Recent {
    /// An empty table; at most `reuse_bytes` are kept or parked.
    pub(super) const fn new(reuse_bytes: usize) -> Self {
        Self {
            entries: [const { AtomicU64::new(0) }; KNOWN],
            reuse_bytes,
        }
    }

    /// Returns the usable bytes of the block at `address`, if it has an entry and is not parked.
    #[inline]
    pub(super) fn bytes(&self, address: usize) -> Option<usize> {
        let word = self.place(address)?.load(Relaxed);
        (is_of(word, address) && word & PARKED == 0).then(|| bytes_of(word))
    }

    /// Enters a block, which may be parked later or not. One that does not fit into a word, or whose place a parked one has,
    /// stays out.
    pub(super) fn enter(&self, address: usize, bytes: usize, may_park: bool) {
        let flags = if may_park { MAY_PARK } else { 0 };
        if let (Some(word), Some(place)) = (word_of(address, bytes), self.place(address)) {
            let old = place.load(Relaxed);
            if old & PARKED == 0 {
                let _ = place.compare_exchange(old, word | flags, Relaxed, Relaxed);
            }
        }
    }

    /// Removes the block at `address`; `false` if it is parked, since somebody has freed it meanwhile.
    pub(super) fn forget(&self, address: usize) -> bool {
        let Some(place) = self.place(address) else {
            return true;
        };
        loop {
            let word = place.load(Relaxed);
            if !is_of(word, address) {
                return true;
            }
            if word & PARKED != 0 {
                return false;
            }
            if place.compare_exchange(word, 0, Relaxed, Relaxed).is_ok() {
                return true;
            }
        }
    }

    /// Removes all blocks with a byte between two addresses, since the program changes their properties.
    pub(super) fn forget_between(&self, start: usize, end: usize) {
        for place in &self.entries {
            let word = place.load(Relaxed);
            let first = address_of(word);
            if word & PARKED == 0 && first < end && start < first + bytes_of(word) {
                // One that was parked meanwhile is none that the program may call this for.
                let _ = place.compare_exchange(word, 0, Relaxed, Relaxed);
            }
        }
    }

    /// Parks the block at `address`, which its owner frees, while `kept` bytes are kept; `false` if it must be freed in any
    /// other way.
    pub(super) fn park(&self, address: usize, kept: usize) -> bool {
        let Some(place) = self.place(address) else {
            return false;
        };
        let word = place.load(Relaxed);
        let most = self.reuse_bytes.saturating_sub(kept).min(MOST_PARKED);
        if !is_of(word, address)
            || word & (MAY_PARK | PARKED) != MAY_PARK
            || self.parked_bytes() + bytes_of(word) > most
        {
            return false;
        }
        let parked = word | PARKED;
        // ORDERING: SeqCst, pairs with `take` and `unpark`, since who gets the block comes after its owner; and of several that
        // park at once the last one sees all.
        let is_parked = place
            .compare_exchange(word, parked, SeqCst, Relaxed)
            .is_ok();
        let is_too_much = is_parked && self.parked_bytes() > most;
        is_parked
            && !(is_too_much
                && place
                    .compare_exchange(parked, word, SeqCst, Relaxed)
                    .is_ok())
    }

    /// Takes a parked block of at least `bytes`, and not much more, at a multiple of `align`: its address and usable bytes.
    pub(super) fn take(&self, bytes: usize, align: usize) -> Option<(usize, usize)> {
        self.entries.iter().find_map(|place| {
            let word = place.load(Relaxed);
            let rest = bytes_of(word).checked_sub(bytes);
            let serves = word & PARKED != 0
                && rest.is_some_and(|rest| rest <= bytes / REST_SHARE)
                && address_of(word).is_multiple_of(align)
                // ORDERING: acquire, pairs with `park`.
                && place.compare_exchange(word, word & !PARKED, Acquire, Relaxed).is_ok();
            serves.then(|| (address_of(word), bytes_of(word)))
        })
    }

    /// Removes a parked block, if there is any; its address.
    pub(super) fn unpark(&self) -> Option<usize> {
        self.entries.iter().find_map(|place| {
            let word = place.load(Relaxed);
            // ORDERING: acquire, pairs with `park`.
            let is_removed =
                word & PARKED != 0 && place.compare_exchange(word, 0, Acquire, Relaxed).is_ok();
            is_removed.then(|| address_of(word))
        })
    }

    /// Bytes of parked blocks.
    pub(super) fn parked_bytes(&self) -> usize {
        self.parked().map(bytes_of).sum()
    }

    /// Number of parked blocks.
    pub(super) fn parked_blocks(&self) -> usize {
        self.parked().count()
    }

    fn parked(&self) -> impl Iterator<Item = u64> {
        // ORDERING: SeqCst, see `park`.
        let words = self.entries.iter().map(|place| place.load(SeqCst));
        words.filter(|word| word & PARKED != 0)
    }

    fn place(&self, address: usize) -> Option<&AtomicU64> {
        self.entries.get(address / BLOCK_SIZE % KNOWN)
    }
}

/// The entry of a block, if it fits.
fn word_of(address: usize, bytes: usize) -> Option<u64> {
    let (page, pages) = ((address / PAGE_SIZE) as u64, (bytes / PAGE_SIZE) as u64);
    let fits = address.is_multiple_of(PAGE_SIZE)
        && page >> (u64::BITS - PAGE_SHIFT) == 0
        && pages >> (PAGE_SHIFT - FLAGS) == 0;
    fits.then_some(page << PAGE_SHIFT | pages << FLAGS)
}

fn address_of(word: u64) -> usize {
    (word >> PAGE_SHIFT) as usize * PAGE_SIZE
}

fn bytes_of(word: u64) -> usize {
    ((word & ((1 << PAGE_SHIFT) - 1)) >> FLAGS) as usize * PAGE_SIZE
}

/// Whether it is the entry of a block that begins there.
fn is_of(word: u64, address: usize) -> bool {
    word != 0 && address_of(word) == address
}

#[cfg(test)]
#[path = "recent_tests.rs"]
mod tests;
