//! Huge pages for what stays: the purge thread looks for 2 MiB of which all has memory at two looks, and asks the kernel to
//! put it into one page.
//!
//! # Invariant
//!
//! No memory comes with that but for one page in 64, no thread of the program's waits for it, and what has no longer all of
//! its memory gets no further huge page. The kernel's `Documentation/admin-guide/mm/transhuge.rst` and madvise(2) say what it does.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use super::Arena;
use super::dense::HALF;
use super::density::{HALVES, Ripeness};
use crate::decay::STEPS;
use crate::sys::{self, HugePages};
use crate::units::{BLOCK_PAGES, PAGE_SIZE, PageIndex};

/// Pageblocks that a round looks at, and huge pages that it makes, at most.
const LOOKS: u32 = 64;
const MOST: u32 = 8;
/// Rounds between the beginnings of two scans: what is there in both has been so for `purge_ms`. Where the kernel has no
/// memory for it, twice as many each time, up to so many.
const PAUSE: u32 = STEPS;
const LONGEST_PAUSE: u32 = 64 * PAUSE;
/// Scans after which all of it is looked at anew: pages that went and came back are no part of a huge page.
const MEMORY: u32 = 64;

/// How far the purge thread has come.
#[derive(Debug)]
pub(super) struct Scan {
    /// The pageblock that is next.
    next: AtomicU32,
    /// Rounds to let pass, and how many that will be after the next failure.
    rest: AtomicU32,
    pause: AtomicU32,
    /// Scans that were begun.
    count: AtomicU32,
    /// Places where memory that was advised follows some that was not.
    pub(super) runs: AtomicU32,
    /// Whether the last look found something that is not done yet.
    is_busy: AtomicBool,
}

// ORDERING: relaxed throughout this file. One thread at a time runs a round of purging; all else is advice.

impl Scan {
    pub(super) const fn new() -> Self {
        Self {
            next: AtomicU32::new(0),
            rest: AtomicU32::new(PAUSE),
            pause: AtomicU32::new(PAUSE),
            count: AtomicU32::new(0),
            runs: AtomicU32::new(0),
            is_busy: AtomicBool::new(false),
        }
    }

    /// The pageblock to go on with, if it is time.
    fn go_on(&self) -> Option<u32> {
        let rest = self.rest.load(Relaxed);
        if rest > 0 {
            self.rest.store(rest - 1, Relaxed);
            return None;
        }
        let next = self.next.load(Relaxed);
        if next == 0 {
            // The kernel itself does not look when it is asked for one.
            if !sys::may_have_huge_pages() {
                self.end(LONGEST_PAUSE);
                return None;
            }
            self.is_busy.store(false, Relaxed);
            self.count.fetch_add(1, Relaxed);
        }
        Some(next)
    }

    /// The scan is over; the next one begins after so many rounds.
    fn end(&self, pause: u32) {
        self.next.store(0, Relaxed);
        self.rest.store(pause, Relaxed);
    }

    /// The kernel has no memory for it, or does not take what lies there: the scan goes on at `block` some time later.
    fn back_off(&self, block: u32) {
        let pause = self.pause.load(Relaxed);
        self.pause.store((2 * pause).min(LONGEST_PAUSE), Relaxed);
        self.next.store(block, Relaxed);
        self.rest.store(pause, Relaxed);
    }
}

impl Arena {
    /// Looks at some pageblocks, in a thread that nobody waits for.
    pub(crate) fn collapse_some(&self) {
        if self.data.huge_pages() != HugePages::Auto || sys::page_size() != PAGE_SIZE {
            return;
        }
        let Some(first) = self.scan.go_on() else {
            return;
        };
        let end = self.committed_bytes() / PageIndex(BLOCK_PAGES).offset();
        let end = u32::try_from(end).unwrap_or(u32::MAX);
        let (mut block, mut made) = (first, 0);
        while block < end && block < first + LOOKS && made < MOST {
            match self.collapse_block(PageIndex(block * BLOCK_PAGES)) {
                Some(pages) => made += pages,
                None => return self.scan.back_off(block),
            }
            block += 1;
        }
        if made > 0 {
            self.scan.pause.store(PAUSE, Relaxed);
        }
        match block < end {
            true => self.scan.next.store(block, Relaxed),
            false => self.scan.end(PAUSE),
        }
    }

    /// Whether there is memory that may become huge pages soon.
    pub(crate) fn is_collapsing(&self) -> bool {
        let scan = &self.scan;
        let is_near = scan.rest.load(Relaxed) <= PAUSE;
        is_near && (scan.is_busy.load(Relaxed) || scan.next.load(Relaxed) > 0)
    }

    /// Makes what is ripe in a pageblock huge pages; how many. `None` if the kernel does not.
    fn collapse_block(&self, first: PageIndex) -> Option<u32> {
        let density = &self.map.record(first).density;
        let is_anew = self.scan.count.load(Relaxed).is_multiple_of(MEMORY);
        let mut made = 0;
        for half in 0..HALVES {
            let start = first.plus(half * HALF);
            let before = match density.ripeness(half) {
                Ripeness::Huge if is_anew => Ripeness::Full,
                before => before,
            };
            let next = match before {
                _ if before != Ripeness::Huge && !self.is_full(start) => Ripeness::None,
                Ripeness::None => Ripeness::Full,
                Ripeness::Full | Ripeness::Huge => Ripeness::Huge,
            };
            let is_ripe = next == Ripeness::Huge && before != Ripeness::Huge;
            if next == Ripeness::Full || is_ripe {
                self.scan.is_busy.store(true, Relaxed);
            }
            if next == Ripeness::None && !density.is_judged() {
                self.advise_half(start, false);
            }
            density.set_ripeness(half, next);
            if is_ripe && self.advise_half(start, true) {
                if !self
                    .data
                    .collapse(start.offset(), start.plus(HALF).offset())
                {
                    return None;
                }
                made += 1;
            }
        }
        Some(made)
    }
}
