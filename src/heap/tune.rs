//! What a running program may change.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::Heap;
use crate::slab::class;
use crate::units::BLOCK_SIZE;

/// Numbers that mallopt(3) changes.
#[derive(Debug)]
pub(super) struct Tuning {
    /// Unused bytes that stay.
    kept_bytes: AtomicUsize,
    /// Blocks of more bytes are mappings of their own.
    largest_bytes: AtomicUsize,
}

// ORDERING: relaxed; who sees a change late acts a moment longer as before.

impl Tuning {
    pub(super) const fn new() -> Self {
        Self {
            kept_bytes: AtomicUsize::new(0),
            largest_bytes: AtomicUsize::new(BLOCK_SIZE),
        }
    }
}

impl Heap {
    /// Leaves `bytes` of unused memory in each arena, and as much in freed mappings, to the process;
    /// `usize::MAX` for all.
    pub(crate) fn keep_unused(&self, bytes: usize) {
        self.tuning.kept_bytes.store(bytes, Relaxed);
    }

    /// Makes blocks of `bytes` and more mappings of their own, if they are large.
    pub(crate) fn map_from(&self, bytes: usize) {
        let largest = bytes.saturating_sub(1);
        let largest = largest.clamp(class::MAX_SMALL, BLOCK_SIZE);
        self.tuning.largest_bytes.store(largest, Relaxed);
    }

    pub(super) fn kept_bytes(&self) -> usize {
        self.tuning.kept_bytes.load(Relaxed)
    }

    pub(super) fn largest_bytes(&self) -> usize {
        self.tuning.largest_bytes.load(Relaxed)
    }
}
