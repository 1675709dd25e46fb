//! How far a purge is, from one call to the next.
//!
//! # Invariant
//!
//! Only who runs a round writes here.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use crate::decay::Elapsed;
use crate::heap::Round;

/// A round between two calls; [`Round`] in pieces.
#[derive(Debug)]
pub(super) struct Progress {
    steps: AtomicU32,
    quiet: AtomicU32,
    stage: AtomicUsize,
    place: AtomicUsize,
}

// ORDERING: relaxed; the flag that says who runs a round orders it.

impl Progress {
    /// No round goes on.
    pub(super) fn over() -> Self {
        Self {
            steps: AtomicU32::new(0),
            quiet: AtomicU32::new(0),
            stage: AtomicUsize::new(usize::MAX),
            place: AtomicUsize::new(0),
        }
    }

    pub(super) fn get(&self) -> Round {
        Round {
            elapsed: Elapsed {
                steps: self.steps.load(Relaxed),
                quiet: self.quiet.load(Relaxed),
            },
            stage: self.stage.load(Relaxed),
            place: self.place.load(Relaxed),
        }
    }

    pub(super) fn set(&self, round: Round) {
        self.steps.store(round.elapsed.steps, Relaxed);
        self.quiet.store(round.elapsed.quiet, Relaxed);
        self.stage.store(round.stage, Relaxed);
        self.place.store(round.place, Relaxed);
    }
}
