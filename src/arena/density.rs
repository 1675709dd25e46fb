//! What the kernel was told of a pageblock's two huge pages.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// That the advice was given for a pageblock of slabs.
const JUDGED: u8 = 1 << 7;

/// Huge pages of a pageblock, where a page has 4 KiB.
pub(super) const HALVES: u32 = 2;

/// How near 2 MiB are to becoming a huge page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ripeness {
    /// Not all of it was in use when it was last looked at.
    None,
    /// All of it was.
    Full,
    /// It is one, or was made one.
    Huge,
}

/// The state of a pageblock's huge pages. All zero: nothing was told.
#[derive(Debug)]
pub(super) struct Density {
    /// For each half, a bit: whether the kernel was asked for a huge page; and [`JUDGED`].
    dense: AtomicU8,
    /// For each half, two bits: how near it is to becoming a huge page.
    ripeness: AtomicU8,
}

// ORDERING: relaxed throughout this file: advice.

impl Density {
    /// Whether the kernel was asked to back a half with a huge page.
    pub(super) fn is_dense(&self, half: u32) -> bool {
        self.dense.load(Relaxed) >> half & 1 != 0
    }

    /// Sets that for a half.
    pub(super) fn set_dense(&self, half: u32, is_dense: bool) {
        match is_dense {
            true => self.dense.fetch_or(1 << half, Relaxed),
            false => self.dense.fetch_and(!(1 << half), Relaxed),
        };
    }

    /// Whether the pageblock was last judged as one of slabs.
    pub(super) fn is_judged(&self) -> bool {
        self.dense.load(Relaxed) & JUDGED != 0
    }

    /// Sets that; whether it is news.
    pub(super) fn set_judged(&self, is_slabs: bool) -> bool {
        let before = match is_slabs {
            true => self.dense.fetch_or(JUDGED, Relaxed),
            false => self.dense.fetch_and(!JUDGED, Relaxed),
        };
        (before & JUDGED != 0) != is_slabs
    }

    /// Fresh memory comes, of which the kernel was told nothing.
    pub(super) fn forget(&self) {
        self.dense.store(0, Relaxed);
        self.ripeness.store(0, Relaxed);
    }

    /// How near a half is to becoming a huge page.
    pub(super) fn ripeness(&self, half: u32) -> Ripeness {
        match self.ripeness.load(Relaxed) >> (2 * half) & 3 {
            0 => Ripeness::None,
            1 => Ripeness::Full,
            _ => Ripeness::Huge,
        }
    }

    /// Sets that; one thread at a time does.
    pub(super) fn set_ripeness(&self, half: u32, ripeness: Ripeness) {
        let others = self.ripeness.load(Relaxed) & !(3 << (2 * half));
        self.ripeness
            .store(others | (ripeness as u8) << (2 * half), Relaxed);
    }
}
