//! Which of the process's memory is part of a block: one bit for each 16 bytes of address space.
//!
//! # Invariant
//!
//! A bit is set from when a block is handed out until just before it is given back. So a player that finds one set has been
//! handed what somebody else holds.
#![deny(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::pages::{Pages, Zeroes};

const GRAIN_SHIFT: u32 = 4;
/// Bits of a word, as a shift.
const WORD_SHIFT: u32 = 6;

/// Bits of a program's addresses.
const ADDRESS_BITS: u32 = if cfg!(target_arch = "x86_64") { 47 } else { 48 };

#[expect(unsafe_code, reason = "zero is a number")]
// SAFETY: an integer.
unsafe impl Zeroes for AtomicU64 {}

/// The bits.
pub(crate) struct Owners(Pages<AtomicU64>);

// ORDERING: relaxed throughout: a block's bits are changed by its holder, and holders follow each other by way of
// the allocator.

impl Owners {
    /// Nobody owns anything; `None` where the addresses are not available.
    pub(crate) fn new() -> Option<Self> {
        Pages::new(1 << (ADDRESS_BITS - GRAIN_SHIFT - WORD_SHIFT)).map(Self)
    }

    /// Takes note that a block was handed out; `false` if a part of it was before.
    pub(crate) fn take(&self, start: usize, bytes: usize) -> bool {
        let set = |word: &AtomicU64, mask: u64| word.fetch_or(mask, Relaxed) & mask == 0;
        self.change(start, bytes, set, 0, !0)
    }

    /// Takes note that a block is given back; `false` if a part of it was before.
    pub(crate) fn release(&self, start: usize, bytes: usize) -> bool {
        let clear = |word: &AtomicU64, mask: u64| word.fetch_and(!mask, Relaxed) & mask == mask;
        self.change(start, bytes, clear, !0, 0)
    }

    /// Words that are only the block's go from `old` to `new` without the price of an atomic operation.
    fn change(
        &self,
        start: usize,
        bytes: usize,
        part: impl Fn(&AtomicU64, u64) -> bool,
        old: u64,
        new: u64,
    ) -> bool {
        let first = start >> GRAIN_SHIFT;
        let last = (start + bytes.max(1) - 1) >> GRAIN_SHIFT;
        let (low, high) = (first >> WORD_SHIFT, last >> WORD_SHIFT);
        let from = !0 << (first & 63);
        let to = !0 >> (63 - (last & 63));
        let Some(words) = self.0.get(low..=high) else {
            return false;
        };
        match words {
            [] => false,
            [one] => part(one, from & to),
            [head, whole @ .., tail] => {
                let mut is_right = part(head, from);
                for word in whole {
                    is_right &= word.load(Relaxed) == old;
                    word.store(new, Relaxed);
                }
                part(tail, to) && is_right
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_is_seen_and_neighbours_are_not() {
        let owners = Owners::new().unwrap();
        let base = 1 << 30;
        assert!(owners.take(base, 4_000));
        assert!(owners.take(base + 4_000, 100));
        assert!(owners.take(base - 16, 16));
        for (start, bytes) in [(0, 1), (3_999, 1), (1_024, 64), (2_000, 8_000)] {
            assert!(!owners.take(base + start, bytes), "{start}");
        }
    }

    #[test]
    fn what_was_released_can_be_taken_and_not_be_released_again() {
        let owners = Owners::new().unwrap();
        assert!(owners.take(1 << 40, 1 << 20));
        assert!(owners.release(1 << 40, 1 << 20));
        assert!(owners.take((1 << 40) + 512, 512));
        assert!(owners.release((1 << 40) + 512, 512));
        assert!(!owners.release((1 << 40) + 512, 512));
    }
}
