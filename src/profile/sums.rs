//! Blocks and their bytes, as sums of what samples stand for.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::interval::times;

/// Estimated numbers; counts have [`super::FRACTION_BITS`].
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Sums {
    pub(super) live_count: AtomicU64,
    pub(super) live_bytes: AtomicU64,
    pub(super) all_count: AtomicU64,
    pub(super) all_bytes: AtomicU64,
}

// ORDERING: relaxed; changed under the lock of the tables, and read by others as of a moment.

impl Sums {
    /// Adds a sampled block.
    pub(super) fn begin(&self, bytes: usize, count: u64) {
        let bytes = times(bytes, count);
        add(&self.live_count, count);
        add(&self.live_bytes, bytes);
        add(&self.all_count, count);
        add(&self.all_bytes, bytes);
    }

    /// Takes a block off what is in use.
    pub(super) fn end(&self, bytes: usize, count: u64) {
        subtract(&self.live_count, count);
        subtract(&self.live_bytes, times(bytes, count));
    }

    /// Notes that a block has another length now.
    pub(super) fn resize(&self, old: usize, new: usize, count: u64) {
        let (old, new) = (times(old, count), times(new, count));
        subtract(&self.live_bytes, old);
        add(&self.live_bytes, new);
        add(&self.all_bytes, new.saturating_sub(old));
    }
}

/// Adds to a number that only the holder of the lock changes.
pub(super) fn add(number: &AtomicU64, more: u64) {
    number.store(number.load(Relaxed).saturating_add(more), Relaxed);
}

fn subtract(number: &AtomicU64, less: u64) {
    number.store(number.load(Relaxed).saturating_sub(less), Relaxed);
}
