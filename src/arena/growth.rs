//! What an arena grows by beyond what it had of late: a sign for who holds what others could use.
//!
//! # Invariant
//!
//! Written under the arena's lock.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Growth is made up for when it is one part of so many of what is used …
const SHARE: usize = 32;
/// … but no less than these pages.
const LEAST_PAGES: usize = 64;
/// Pages that may go for that in a millisecond: a hundredth of the time, if they are all needed again.
const RATE: usize = 16;
/// Pages that may go at once.
const MOST_PAGES: usize = 1024;
/// What an arena had counts less by one part of so many with each round of purging.
const FALL: usize = 8;

/// An arena's growth. All zero is an arena without memory.
#[derive(Debug, Default)]
pub(super) struct Growth {
    /// The most pages that had memory of late.
    high: AtomicUsize,
    /// By how many pages that has risen, wrapping.
    count: AtomicU32,
    /// Those that nobody has made up for.
    owed: AtomicUsize,
    /// When somebody last did, in milliseconds.
    at: AtomicU64,
}

// ORDERING: relaxed. The lock orders who writes; for others it is a sign that may come late.

impl Growth {
    /// Takes note that `pages` have memory.
    #[inline]
    pub(super) fn note(&self, pages: usize) {
        let grown = pages.saturating_sub(self.high.load(Relaxed));
        if grown > 0 {
            self.high.store(pages, Relaxed);
            self.count
                .store(self.count().wrapping_add(grown as u32), Relaxed);
            self.owed.store(self.owed.load(Relaxed) + grown, Relaxed);
        }
    }

    /// A round of purging begins, with `pages` that have memory.
    pub(super) fn fall(&self, pages: usize) {
        let high = self.high.load(Relaxed);
        self.high.store(pages.max(high - high / FALL), Relaxed);
    }

    /// Whether it is time to make up for growth in an arena of which `used` pages are lent.
    pub(super) fn is_due(&self, used: usize) -> bool {
        self.owed.load(Relaxed) > (used / SHARE).max(LEAST_PAGES)
    }

    /// How many of `dirty` free pages go in place of what the arena has grown by.
    pub(super) fn make_up(&self, dirty: usize, now: u64) -> usize {
        let passed = now.saturating_sub(self.at.load(Relaxed)) as usize;
        let most = passed.saturating_mul(RATE).min(MOST_PAGES);
        let pages = self.owed.swap(0, Relaxed).min(dirty).min(most);
        if pages > 0 {
            let left = (most - pages) / RATE;
            self.at.store(now.saturating_sub(left as u64), Relaxed);
        }
        pages
    }

    /// So many pages went: as many may come again before that is growth.
    pub(super) fn note_gone(&self, pages: usize) {
        let high = self.high.load(Relaxed);
        self.high.store(high.saturating_sub(pages), Relaxed);
    }

    /// By how many pages the arena has grown, wrapping.
    #[inline]
    pub(super) fn count(&self) -> u32 {
        self.count.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_there_of_late_is_growth() {
        let growth = Growth::default();
        growth.note(100);
        growth.note(40);
        growth.note(90);
        assert_eq!(growth.count(), 100);
        growth.note(120);
        assert_eq!(growth.count(), 120);
        // Half of it goes within six rounds in which nothing happens.
        (0..6).for_each(|_| growth.fall(10));
        growth.note(70);
        assert!((126..136).contains(&growth.count()), "{}", growth.count());
        (0..60).for_each(|_| growth.fall(10));
        let before = growth.count();
        growth.note(30);
        assert_eq!(growth.count() - before, 20);
    }

    #[test]
    fn growth_is_made_up_for_when_it_is_much_and_as_far_as_there_is_time() {
        let growth = Growth::default();
        growth.note(LEAST_PAGES);
        assert!(!growth.is_due(0));
        growth.note(10_000);
        assert!(growth.is_due(9_000) && !growth.is_due(400_000));
        // What is free is all that can go.
        assert_eq!(growth.make_up(5, 1_000), 5);
        growth.note_gone(5);
        assert!(!growth.is_due(0) && growth.make_up(5, 1_000) == 0);
        // What went makes room: as much may come back before it is growth again.
        growth.note(10_000);
        assert_eq!(growth.make_up(500, 1_000), 5);
        // Where nothing goes, no growth comes of that.
        growth.note(10_000);
        assert_eq!(growth.make_up(500, 1_000), 0);
        growth.note(20_000);
        assert_eq!(growth.make_up(5_000, 1_002), MOST_PAGES);
        growth.note(30_000);
        assert_eq!(growth.make_up(5_000, 1_003), RATE);
        growth.note(40_000);
        assert_eq!(growth.make_up(5_000, 2_000), MOST_PAGES);
    }
}
