//! What an arena grows by beyond what it had recently: a sign for threads that hold what others could use.
//!
//! # Invariant
//!
//! Written under the arena's lock.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// What an arena had counts less by this share with each purge.
const FALL: usize = 8;

/// How eagerly free pages go.
#[derive(Debug)]
pub(super) struct Pace {
    /// Growth is made up for when it is this share of what is used …
    share: usize,
    /// … but no less than these pages.
    least_pages: usize,
    /// Pages that may go for that in a millisecond …
    rate: usize,
    /// … and at once.
    most_pages: usize,
    /// Whether free pages go without growth too, when they are more than that.
    is_for_all: bool,
}

impl Pace {
    /// A fiftieth of the time, if all pages are needed again.
    pub(super) const USUAL: Self = Self {
        share: 32,
        least_pages: 64,
        rate: 32,
        most_pages: 1_024,
        is_for_all: false,
    };
    /// Half of the time, if all pages are needed again; a gibibyte at once.
    pub(super) const EAGER: Self = Self {
        share: 64,
        least_pages: 16,
        rate: 500,
        most_pages: 1 << 18,
        is_for_all: true,
    };

    /// Pages that do not count where `used` are used.
    fn least(&self, used: usize) -> usize {
        (used / self.share.max(1)).max(self.least_pages)
    }
}

/// An arena's growth.
#[derive(Debug)]
pub(super) struct Growth {
    pace: Pace,
    /// The most pages that had memory recently.
    high: AtomicUsize,
    /// By how many pages that has risen, wrapping.
    count: AtomicU32,
    /// Those that nobody has made up for.
    excess: AtomicUsize,
    /// Pages that might still go when that was last checked, …
    most: AtomicUsize,
    /// … and when that was, in milliseconds.
    at: AtomicU64,
}

// ORDERING: relaxed. The lock orders who writes; for others it is a sign that may come late.

impl Growth {
    /// That of an arena without memory.
    pub(super) const fn new(pace: Pace) -> Self {
        Self {
            pace,
            high: AtomicUsize::new(0),
            count: AtomicU32::new(0),
            excess: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            at: AtomicU64::new(0),
        }
    }

    /// Records that `pages` have memory.
    #[inline]
    pub(super) fn observe(&self, pages: usize) {
        let grown = pages.saturating_sub(self.high.load(Relaxed));
        if grown > 0 {
            self.high.store(pages, Relaxed);
            self.rise(grown, self.excess.load(Relaxed) + grown);
        }
    }

    /// Records that `dirty` free pages have memory, beside `used` ones.
    #[inline]
    pub(super) fn note_free(&self, dirty: usize, used: usize) {
        if self.pace.is_for_all && dirty > self.pace.least(used) {
            self.rise(1, self.excess.load(Relaxed).max(dirty));
        }
    }

    fn rise(&self, count: usize, excess: usize) {
        self.count
            .store(self.count().wrapping_add(count as u32), Relaxed);
        self.excess.store(excess, Relaxed);
    }

    /// A purge begins, with `pages` that have memory.
    pub(super) fn fall(&self, pages: usize) {
        let high = self.high.load(Relaxed);
        self.high.store(pages.max(high - high / FALL), Relaxed);
    }

    /// Whether it is time for free pages to go, in an arena of which `used` pages are lent.
    pub(super) fn is_due(&self, used: usize) -> bool {
        self.excess.load(Relaxed) > self.pace.least(used)
    }

    /// How many of `dirty` free pages go in place of what the arena has grown by.
    pub(super) fn make_up(&self, dirty: usize, now: u64) -> usize {
        let passed = now.saturating_sub(self.at.swap(now, Relaxed)) as usize;
        let earned = passed.saturating_mul(self.pace.rate);
        let most = self
            .most
            .load(Relaxed)
            .saturating_add(earned)
            .min(self.pace.most_pages);
        let pages = self.excess.swap(0, Relaxed).min(dirty).min(most);
        self.most.store(most - pages, Relaxed);
        pages
    }

    /// `pages` went: as many may come again before that is growth.
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
    fn only_what_was_not_there_recently_is_growth() {
        let growth = Growth::new(Pace::USUAL);
        growth.observe(100);
        growth.observe(40);
        growth.observe(90);
        assert_eq!(growth.count(), 100);
        growth.observe(120);
        assert_eq!(growth.count(), 120);
        // Half of it goes within six rounds in which nothing happens.
        (0..6).for_each(|_| growth.fall(10));
        growth.observe(70);
        assert!((126..136).contains(&growth.count()), "{}", growth.count());
        (0..60).for_each(|_| growth.fall(10));
        let before = growth.count();
        growth.observe(30);
        assert_eq!(growth.count() - before, 20);
    }

    #[test]
    fn growth_is_made_up_for_when_it_is_much_and_as_far_as_there_is_time() {
        let growth = Growth::new(Pace::USUAL);
        growth.observe(growth.pace.least_pages);
        assert!(!growth.is_due(0));
        growth.observe(10_000);
        assert!(growth.is_due(9_000) && !growth.is_due(400_000));
        // What is free is all that can go.
        assert_eq!(growth.make_up(5, 1_000), 5);
        growth.note_gone(5);
        assert!(!growth.is_due(0) && growth.make_up(5, 1_000) == 0);
        // What went makes room: as much may come back before it is growth again.
        growth.observe(10_000);
        assert_eq!(growth.make_up(500, 1_000), 5);
        // Where nothing goes, no growth comes of that.
        growth.observe(10_000);
        assert_eq!(growth.make_up(500, 1_000), 0);
        growth.observe(20_000);
        assert_eq!(growth.make_up(5_000, 1_002), growth.pace.most_pages);
        growth.observe(30_000);
        assert_eq!(growth.make_up(5_000, 1_003), growth.pace.rate);
        growth.observe(40_000);
        assert_eq!(growth.make_up(5_000, 2_000), growth.pace.most_pages);
    }
}
