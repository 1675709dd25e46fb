//! What the kernel was told of a pageblock's huge pages.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Huge pages of a pageblock, where a page has 4 KiB.
pub(super) const HALVES: u32 = 2;
/// That the pageblock is one of slabs, for which the advice was given.
const SLABS: u64 = 1 << 7;

/// A bit for each half of a pageblock that the kernel was asked to back with a huge page, and [`SLABS`].
#[derive(Debug)]
pub(super) struct Density(AtomicU64);

// ORDERING: relaxed throughout this file: advice.

impl Density {
    /// Whether the kernel was asked to back a half with a huge page.
    pub(super) fn is_dense(&self, half: u32) -> bool {
        self.0.load(Relaxed) >> half & 1 != 0
    }

    /// Sets that; returns whether it was otherwise.
    pub(super) fn set_dense(&self, half: u32, is_dense: bool) -> bool {
        self.set(1 << half, is_dense)
    }

    /// Records whether the pageblock is one of slabs; returns whether it was not what it is.
    pub(super) fn set_slabs(&self, is_slabs: bool) -> bool {
        self.set(SLABS, is_slabs)
    }

    /// Fresh memory comes, of which the kernel was told nothing.
    pub(super) fn forget(&self) {
        self.0.store(0, Relaxed);
    }

    fn set(&self, bit: u64, value: bool) -> bool {
        let before = match value {
            true => self.0.fetch_or(bit, Relaxed),
            false => self.0.fetch_and(!bit, Relaxed),
        };
        (before & bit != 0) != value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_news_once() {
        let density = Density(AtomicU64::new(0));
        assert!(!density.set_slabs(false) && density.set_slabs(true) && !density.set_slabs(true));
        assert!(density.set_dense(1, true) && !density.set_dense(1, true));
        assert!(density.is_dense(1) && !density.is_dense(0));
        assert!(!density.set_slabs(true) && density.set_dense(1, false));
        density.forget();
        assert!(!density.is_dense(1) && density.set_slabs(true));
    }
}
