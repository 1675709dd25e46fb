//! How fast unused memory goes back: `purge_ms` in steps. It may change while the program runs.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::decay::STEPS;
use crate::layout::{Part, part};

/// The time that unused memory has.
#[derive(Debug)]
pub(super) struct Pace {
    /// Milliseconds of a step, see `decay.rs`; 0 for no purging.
    step: AtomicU64,
    /// Everything that is unused goes at once.
    is_eager: AtomicBool,
}

// ORDERING: relaxed; who sees a change late acts a moment longer as before.

impl Pace {
    /// Where the step lies, for readers outside of the process.
    pub(super) const STEP: Part = part!(Self, step);

    /// Memory goes back in this many milliseconds, or never.
    pub(super) fn new(all: Option<u64>) -> Self {
        Self {
            step: AtomicU64::new(step_of(all)),
            is_eager: AtomicBool::new(all == Some(0)),
        }
    }

    pub(super) fn set(&self, all: Option<u64>) {
        self.step.store(step_of(all), Relaxed);
        self.is_eager.store(all == Some(0), Relaxed);
    }

    pub(super) fn step(&self) -> u64 {
        self.step.load(Relaxed)
    }

    pub(super) fn is_eager(&self) -> bool {
        self.is_eager.load(Relaxed)
    }

    /// Whole steps between two times; 0 without purging.
    pub(super) fn steps_between(&self, start: u64, end: u64) -> u32 {
        let steps = end.saturating_sub(start).checked_div(self.step());
        u32::try_from(steps.unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// When the first round is due.
    pub(super) fn first(&self) -> u64 {
        match self.step() {
            0 => u64::MAX,
            _ => 0,
        }
    }

    /// When the round after one that began at `last` and is over `now` is due.
    pub(super) fn after(&self, last: u64, now: u64) -> u64 {
        match self.step() {
            // It was asked for, and no other follows.
            0 => u64::MAX,
            step => last.saturating_add(step).max(now),
        }
    }
}

fn step_of(all: Option<u64>) -> u64 {
    all.map_or(0, |all| (all / u64::from(STEPS)).max(1))
}
