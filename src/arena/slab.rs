//! Slabs: spans of which the program uses page after page, so that not all of their memory is there when they come back.
//!
//! # Invariant
//!
//! While a slab is out, the dirty bits of its pages are those of before.
#![forbid(unsafe_code)]

use super::{Arena, Span};

/// Which pages of a slab have memory, as far as its cache node knows: one bit for each, from the lowest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Those that were written to.
    pub(crate) written: u128,
    /// Those whose memory the kernel took.
    pub(crate) gone: u128,
}

impl Arena {
    /// Gives a slab back.
    pub(crate) fn give_slab(&self, span: Span, touched: Touched) {
        let Touched { written, gone } = touched;
        debug_assert!(written & gone == 0);
        let mut state = self.state.lock();
        self.map.set_head(span.first, None);
        for (pages, is_dirty) in [(written, true), (gone, false)] {
            for (first, count) in runs(pages) {
                self.map.set_dirty(span.first.plus(first), count, is_dirty);
            }
        }
        self.account_free(span.first, span.pages);
        state.buddy.give_run(&self.map, span.first, span.pages);
    }
}

/// The runs of set bits, as first and length, from the lowest on.
fn runs(bits: u128) -> impl Iterator<Item = (u32, u32)> {
    let (mut left, mut start) = (bits, 0);
    core::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let first = start + left.trailing_zeros();
        let count = (left >> left.trailing_zeros()).trailing_ones();
        start = first + count;
        left = bits.checked_shr(start).unwrap_or(0);
        Some((first, count))
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::super::{Order, PageIndex, Use, tests::arena};
    use super::*;

    #[test]
    fn runs_are_found_up_to_the_last_bit() {
        let found = |bits| runs(bits).collect::<Vec<_>>();
        assert_eq!(found(0), []);
        assert_eq!(found(u128::MAX), [(0, 128)]);
        assert_eq!(found(1 << 127 | 0b1101), [(0, 1), (2, 2), (127, 1)]);
    }

    #[test]
    fn only_what_was_written_to_is_dirty_when_a_slab_comes_back() {
        let arena = arena(1024);
        let take = || arena.take(16, Order::new(4), Use::Slab).unwrap();
        let give = |span, written, gone| arena.give_slab(span, Touched { written, gone });
        give(take(), 0b0111, 0);
        assert_eq!(arena.dirty_pages(), 3);
        let again = take();
        assert!(again.first == PageIndex(0) && !again.zero);
        assert_eq!(arena.dirty_pages(), 0);
        give(again, 0b1_0000, 0b0010);
        assert_eq!(arena.dirty_pages(), 3);
        arena.validate();
        assert_eq!(arena.purge(), 3);
        assert!(take().zero);
    }
}
