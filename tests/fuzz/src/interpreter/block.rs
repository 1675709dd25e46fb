//! A block as the program sees it, and what it wrote there.
//!
//! # Invariant
//!
//! What a byte should be follows only from the block's number and the byte's place, so no other block's bytes pass for
//! it. Which bytes are written follows from number and size.

use core::ptr;

use super::kernel::Kernel;
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
    /// As in the kernel.
    Kernel(Kernel),
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

/// Bytes after what was asked for that are written too, if there are as many.
const BEYOND: usize = 128;
/// Of the blocks that need not have all their bytes written, one in this many has, up to here …
const ALL_OF: u64 = 16;
const SOMETIMES_ALL_UP_TO: usize = 16 << 10;
/// … while of the others this many words are, and both ends.
const SAMPLES: usize = 10;
/// Each costs a page in blocks above this size, so there are fewer there.
const FEW_FROM: usize = 32 << 10;
const FEW_SAMPLES: usize = 3;
const END: usize = 16;
/// Where all bytes must be zero, all are read up to here, and of one block in this many up to there.
const ALL_ZERO_UP_TO: usize = 8 << 10;
const SOMETIMES_ZERO_UP_TO: usize = 1 << 20;

const WORD: usize = size_of::<u64>();

impl Block {
    /// Writes the block's pattern; all its bytes if it has no more than `all_up_to`.
    pub(crate) fn paint(&self, all_up_to: usize) {
        self.each_piece(all_up_to, |place, bytes| {
            let word = self.word(place).to_le_bytes();
            // SAFETY: the piece is inside of the block, which the program holds.
            unsafe { ptr::copy_nonoverlapping(word.as_ptr(), self.at(place), bytes) };
            true
        });
    }

    /// Whether what was written below `most` is there, with the same `all_up_to`.
    pub(crate) fn is_intact(&self, most: usize, all_up_to: usize) -> bool {
        self.each_piece(all_up_to, |place, bytes| {
            let bytes = bytes.min(most.saturating_sub(place));
            let mut word = [0; WORD];
            // SAFETY: as above.
            unsafe { ptr::copy_nonoverlapping(self.at(place), word.as_mut_ptr(), bytes) };
            let unread = u64::MAX.checked_shr(64 - 8 * bytes as u32).unwrap_or(0);
            (u64::from_le_bytes(word) ^ self.word(place)) & unread == 0
        })
    }

    /// Whether the bytes that were asked for are zero: all, or in large blocks mostly a sample.
    pub(crate) fn is_zero(&self, all_up_to: usize) -> bool {
        let zero_at = |place: usize, bytes: usize| {
            let mut word = [0; WORD];
            // SAFETY: inside of the block.
            unsafe { ptr::copy_nonoverlapping(self.at(place), word.as_mut_ptr(), bytes) };
            u64::from_le_bytes(word) == 0
        };
        let is_sometimes = self.id.is_multiple_of(ALL_OF) && self.bytes <= SOMETIMES_ZERO_UP_TO;
        if self.bytes <= all_up_to.max(ALL_ZERO_UP_TO) || is_sometimes {
            return pieces(0, self.bytes, zero_at);
        }
        self.each_piece(all_up_to, |place, bytes| {
            zero_at(place, bytes.min(self.bytes.saturating_sub(place)))
        })
    }

    /// Whether the bytes from `from` on hold `byte`, up to the end of what may be used: all, or in large blocks both ends.
    pub(crate) fn holds(&self, byte: u8, from: usize) -> bool {
        let word = u64::from_le_bytes([byte; WORD]);
        let is_byte = |place: usize, bytes: usize| {
            let mut seen = [byte; WORD];
            // SAFETY: inside of the block.
            unsafe { ptr::copy_nonoverlapping(self.at(place), seen.as_mut_ptr(), bytes) };
            u64::from_le_bytes(seen) == word
        };
        let middle = self.usable.saturating_sub(ALL_ZERO_UP_TO).max(from);
        let first_end = self.usable.min(from.saturating_add(ALL_ZERO_UP_TO));
        pieces(from, first_end, is_byte) && pieces(middle, self.usable, is_byte)
    }

    fn is_all_written(&self, all_up_to: usize) -> bool {
        let is_sometimes = self.bytes <= SOMETIMES_ALL_UP_TO && self.id.is_multiple_of(ALL_OF);
        self.bytes <= all_up_to.max(2 * END + WORD) || is_sometimes
    }

    /// Visits what is written, in pieces of a word at most, until `visit` says no.
    #[inline(always)]
    fn each_piece(&self, all_up_to: usize, visit: impl Fn(usize, usize) -> bool) -> bool {
        if self.is_all_written(all_up_to) {
            return pieces(
                0,
                self.usable.min(self.bytes.saturating_add(BEYOND)),
                &visit,
            ) && self.visit_end(self.usable, &visit);
        }
        // Longer than both ends and a word, so the samples have a range.
        let words = (self.bytes - 2 * END) / WORD;
        let mut random = self.id;
        let samples = if self.bytes > FEW_FROM {
            FEW_SAMPLES
        } else {
            SAMPLES
        };
        for _ in 0..samples {
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
            for all_up_to in [0, usize::MAX] {
                let one = block(&mut memory, bytes, bytes + 5, 7);
                one.paint(all_up_to);
                assert!(one.is_intact(usize::MAX, all_up_to), "{bytes}");
                let other = Block { id: 8, ..one };
                assert!(!other.is_intact(usize::MAX, all_up_to), "{bytes}");
            }
        }
    }

    #[test]
    fn a_changed_byte_of_a_small_block_is_seen_wherever_it_is() {
        for bytes in 1..=128 {
            let mut memory = [0; 40];
            let one = block(&mut memory, bytes, bytes, 3);
            one.paint(128);
            for place in 0..bytes {
                // SAFETY: inside of the block.
                let byte = unsafe { &mut *one.at(place) };
                *byte ^= 1;
                assert!(!one.is_intact(usize::MAX, 128), "{place} of {bytes}");
                *byte ^= 1;
            }
            assert!(one.is_intact(usize::MAX, 128));
        }
    }

    #[test]
    fn what_lies_behind_the_kept_part_may_be_anything() {
        let mut memory = [0; 100];
        let one = block(&mut memory, 800, 800, 16);
        one.paint(800);
        // SAFETY: inside of the block.
        unsafe { one.at(300).write_bytes(0xff, 500) };
        assert!(one.is_intact(300, 800));
        assert!(!one.is_intact(301, 800));
    }

    #[test]
    fn a_byte_that_is_not_zero_is_seen() {
        let mut memory = [0; 100];
        let one = block(&mut memory, 797, 800, 16);
        assert!(one.is_zero(0));
        // SAFETY: inside of the block.
        unsafe { one.at(796).write(1) };
        assert!(!one.is_zero(0));
        // SAFETY: as above.
        unsafe { one.at(796).write(0) };
        // SAFETY: as above.
        unsafe { one.at(797).write(1) };
        assert!(one.is_zero(0));
    }
}
