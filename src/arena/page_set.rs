//! A set of the pages of one pageblock.
#![forbid(unsafe_code)]

use crate::units::BLOCK_PAGES;

/// Words of a set.
pub(super) const WORDS: usize = BLOCK_PAGES as usize / 64;

/// One bit for each page of a pageblock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PageSet(pub(super) [u64; WORDS]);

impl PageSet {
    /// Adds `count` pages from `first` on.
    pub(super) fn fill(&mut self, first: u32, count: u32) {
        let end = first + count;
        let words = (0..).zip(&mut self.0).skip(first as usize / 64);
        for (index, word) in words.take_while(|(index, _)| index * 64 < end) {
            let from = first.max(index * 64) - index * 64;
            let to = end.min(index * 64 + 64) - index * 64;
            *word |= u64::MAX >> (64 - (to - from)) << from;
        }
    }

    /// Whether `page` is in it.
    pub(super) fn has(&self, page: u32) -> bool {
        let word = self.0.get(page as usize / 64);
        word.is_some_and(|word| word >> (page % 64) & 1 != 0)
    }

    /// Number of pages.
    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The runs of pages, as starts and ends, from the lowest on.
    pub(super) fn runs(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut page = 0;
        core::iter::from_fn(move || {
            let first = self.next(page, true)?;
            page = self.next(first, false).unwrap_or(BLOCK_PAGES);
            Some((first, page))
        })
    }

    /// The first page from `from` on that is in it, or is not.
    fn next(&self, from: u32, is_in: bool) -> Option<u32> {
        let mut page = from;
        while page < BLOCK_PAGES {
            let word = self.0.get(page as usize / 64).copied().unwrap_or_default();
            let bits = (if is_in { word } else { !word }) >> (page % 64);
            if bits != 0 {
                return Some(page + bits.trailing_zeros()).filter(|page| *page < BLOCK_PAGES);
            }
            page = (page / 64 + 1) * 64;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn runs_are_what_was_filled() {
        let mut set = PageSet::default();
        assert_eq!(set.runs().count(), 0);
        for (first, count) in [(0, 1), (60, 70), (1000, 24)] {
            set.fill(first, count);
        }
        let runs: Vec<_> = set.runs().collect();
        assert_eq!(runs, [(0, 1), (60, 130), (1000, 1024)]);
        assert_eq!(set.count(), 95);
        assert!(set.has(129) && !set.has(130));
    }
}
