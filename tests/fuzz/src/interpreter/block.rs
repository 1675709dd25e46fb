//! A block as the program sees it, and what it wrote there.
//!
//! # Invariant
//!
//! What a byte should be follows from the block's number and the byte's place alone, so no other block's bytes pass for
//! it. Which bytes are written follows from number and size.

use core::ptr;

use super::operation::New;
use super::pages::Zeroes;

/// How a block came to be, as far as that says how it may be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// By `malloc`, `calloc` or `realloc`.
    Plain,
    /// With this alignment.
    Aligned(usize),
    /// By C++.
    New(New, usize),
    /// By something else: only `free` is right.
    Other,
}

/// A block that the program holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) start: usize,
    /// What was asked for.
    pub(crate) bytes: usize,
    pub(crate) usable: usize,
    pub(crate) id: u64,
    pub(crate) origin: Origin,
}

/// A slot of the model.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Slot {
    is_held: u8,
    block: core::mem::MaybeUninit<Block>,
}

// SAFETY: a slot of zeroes holds nothing.
unsafe impl Zeroes for Slot {}

impl Slot {
    /// The block in it.
    pub(crate) fn get(&self) -> Option<Block> {
        // SAFETY: written when it was marked as held.
        (self.is_held != 0).then(|| unsafe { self.block.assume_init() })
    }

    /// Puts a block in, or none.
    pub(crate) fn set(&mut self, block: Option<Block>) {
        self.is_held = u8::from(block.is_some());
        if let Some(block) = block {
            self.block.write(block);
        }
    }
}

/// A block up to this size has all its bytes written …
const ALL_UP_TO: usize = 128;
/// … and one in so many of those up to here …
const ALL_OF: u64 = 16;
const SOMETIMES_ALL_UP_TO: usize = 16 << 10;
/// … and all its bytes read where they must be zero up to here, or one in so many up to there …
const ALL_ZERO_UP_TO: usize = 8 << 10;
const SOMETIMES_ZERO_UP_TO: usize = 1 << 20;
/// … while of the others so many words are, and both ends.
const SAMPLES: usize = 10;
const END: usize = 16;

const WORD: usize = size_of::<u64>();

impl Block {
    /// Writes the block's pattern.
    pub(crate) fn paint(&self, is_full: bool) {
        self.each_piece(is_full, |place, bytes| {
            let word = self.word(place).to_le_bytes();
            // SAFETY: the piece is inside of the block, which the program holds.
            unsafe { ptr::copy_nonoverlapping(word.as_ptr(), self.at(place), bytes) };
            true
        });
    }

    /// Whether what was written below `most` is there.
    pub(crate) fn is_intact(&self, most: usize, is_full: bool) -> bool {
        self.each_piece(is_full, |place, bytes| {
            let bytes = bytes.min(most.saturating_sub(place));
            let mut word = [0; WORD];
            // SAFETY: as above.
            unsafe { ptr::copy_nonoverlapping(self.at(place), word.as_mut_ptr(), bytes) };
            let unread = u64::MAX.checked_shr(64 - 8 * bytes as u32).unwrap_or(0);
            (u64::from_le_bytes(word) ^ self.word(place)) & unread == 0
        })
    }

    /// Whether the bytes that were asked for are zero: all, or in large blocks mostly a sample.
    pub(crate) fn is_zero(&self, is_full: bool) -> bool {
        let zero_at = |place: usize, bytes: usize| {
            let mut word = [0; WORD];
            // SAFETY: inside of the block.
            unsafe { ptr::copy_nonoverlapping(self.at(place), word.as_mut_ptr(), bytes) };
            u64::from_le_bytes(word) == 0
        };
        let is_sometimes = self.id % ALL_OF == 0 && self.bytes <= SOMETIMES_ZERO_UP_TO;
        if is_full || self.bytes <= ALL_ZERO_UP_TO || is_sometimes {
            return pieces(0, self.bytes, zero_at);
        }
        self.each_piece(false, |place, bytes| {
            zero_at(place, bytes.min(self.bytes.saturating_sub(place)))
        })
    }

    fn is_all_written(&self, is_full: bool) -> bool {
        is_full
            || self.bytes <= ALL_UP_TO
            || self.bytes <= SOMETIMES_ALL_UP_TO && self.id % ALL_OF == 0
    }

    /// Visits what is written, in pieces of a word at most, until `visit` says no.
    #[inline(always)]
    fn each_piece(&self, is_full: bool, visit: impl Fn(usize, usize) -> bool) -> bool {
        if self.is_all_written(is_full) {
            return pieces(0, self.usable.min(self.bytes + ALL_UP_TO), &visit)
                && self.visit_end(self.usable, &visit);
        }
        // Longer than both ends and a word, so the samples have a range.
        let words = (self.bytes - 2 * END) / WORD;
        let mut random = self.id;
        for _ in 0..SAMPLES {
            random = random.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
            let place = END + (random >> 32) as usize % words * WORD;
            if !visit(place, WORD) {
                return false;
            }
        }
        pieces(0, END, &visit)
            && self.visit_end(self.bytes, &visit)
            && self.visit_end(self.usable, &visit)
    }

    /// Visits the last bytes before `end`.
    #[inline(always)]
    fn visit_end(&self, end: usize, visit: impl Fn(usize, usize) -> bool) -> bool {
        pieces(end.saturating_sub(END) / WORD * WORD, end, visit)
    }

    fn at(&self, place: usize) -> *mut u8 {
        debug_assert!(place <= self.usable);
        (self.start + place) as *mut u8
    }

    /// The eight bytes at a multiple of eight.
    #[inline(always)]
    fn word(&self, place: usize) -> u64 {
        (self.id.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ place as u64)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }
}

#[inline(always)]
fn pieces(from: usize, to: usize, visit: impl Fn(usize, usize) -> bool) -> bool {
    let mut place = from;
    while place < to {
        if !visit(place, WORD.min(to - place)) {
            return false;
        }
        place += WORD;
    }
    true
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn block(memory: &mut [u64], bytes: usize, usable: usize, id: u64) -> Block {
        assert!(usable <= memory.len() * WORD);
        Block {
            start: memory.as_mut_ptr() as usize,
            bytes,
            usable,
            id,
            origin: Origin::Plain,
        }
    }

    #[test]
    fn what_was_painted_is_intact_and_another_block_is_not() {
        for bytes in (0..200).chain([1_000, 4_097, 70_000]) {
            let mut memory: Vec<u64> = std::vec![0; bytes / WORD + 3];
            for is_full in [false, true] {
                let one = block(&mut memory, bytes, bytes + 5, 7);
                one.paint(is_full);
                assert!(one.is_intact(usize::MAX, is_full), "{bytes}");
                let other = Block { id: 8, ..one };
                assert!(!other.is_intact(usize::MAX, is_full), "{bytes}");
            }
        }
    }

    #[test]
    fn a_changed_byte_of_a_small_block_is_seen_wherever_it_is() {
        for bytes in 1..=ALL_UP_TO {
            let mut memory = [0; 40];
            let one = block(&mut memory, bytes, bytes, 3);
            one.paint(false);
            for place in 0..bytes {
                // SAFETY: inside of the block.
                let byte = unsafe { &mut *one.at(place) };
                *byte ^= 1;
                assert!(!one.is_intact(usize::MAX, false), "{place} of {bytes}");
                *byte ^= 1;
            }
            assert!(one.is_intact(usize::MAX, false));
        }
    }

    #[test]
    fn what_lies_behind_the_kept_part_may_be_anything() {
        let mut memory = [0; 100];
        let one = block(&mut memory, 800, 800, 16);
        one.paint(true);
        // SAFETY: inside of the block.
        unsafe { one.at(300).write_bytes(0xff, 500) };
        assert!(one.is_intact(300, true));
        assert!(!one.is_intact(301, true));
    }

    #[test]
    fn a_byte_that_is_not_zero_is_seen() {
        let mut memory = [0; 100];
        let one = block(&mut memory, 797, 800, 16);
        assert!(one.is_zero(false));
        // SAFETY: inside of the block.
        unsafe { one.at(796).write(1) };
        assert!(!one.is_zero(false));
        // SAFETY: as above.
        unsafe { one.at(796).write(0) };
        // SAFETY: as above.
        unsafe { one.at(797).write(1) };
        assert!(one.is_zero(false));
    }
}
