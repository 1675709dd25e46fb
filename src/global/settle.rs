//! What a thread that ends does for the only one that is left, which may sleep for ever: it gives back what is free.
//!
//! # Invariant
//!
//! Over time this takes a small share of the processor at most, however often threads come and go.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::memory::Memory;
use super::purge::Purge;
use super::threads::CACHES;
use crate::decay::Budget;
use crate::sys;

/// What may stay: a program that starts one thread after the other needs it again.
const KEPT_BYTES: usize = 2 << 20;
/// Microseconds that may be spent in advance, so that the end of a short program's last thread is no different …
const ADVANCE: u64 = 200_000;
/// … and the share of the time that may be spent in the long run, as one part in this many.
const SHARE: u64 = 20;

/// The time that was spent on it.
#[derive(Debug)]
pub(super) struct Settling {
    /// Microseconds that are not paid back yet, as of `at`.
    debt: AtomicU64,
    /// Milliseconds, by the clock.
    at: AtomicU64,
}

// ORDERING: relaxed throughout this file. These are times, and one thread runs a round.

impl Settling {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self {
            debt: AtomicU64::new(0),
            at: AtomicU64::new(0),
        }
    }

    /// Gives back what is free, as far as that takes a few milliseconds; returns whether nothing worth mentioning is left.
    pub(super) fn settle(&self, purge: &Purge, memory: Memory<'_>) -> bool {
        let is_little = || memory.heap.free_bytes() + purge.parked_bytes() <= KEPT_BYTES;
        if is_little() {
            return true;
        }
        let now = sys::milliseconds();
        let before = self.at.swap(now, Relaxed);
        let repaid = now.saturating_sub(before).saturating_mul(1_000 / SHARE);
        let debt = self.debt.load(Relaxed).saturating_sub(repaid);
        if debt <= ADVANCE {
            let start = sys::microseconds();
            CACHES.cool_all();
            purge.round_at_once(memory, &mut Budget::of_an_exit());
            let spent = sys::microseconds().saturating_sub(start);
            self.debt.store(debt + spent, Relaxed);
        } else {
            self.debt.store(debt, Relaxed);
        }
        is_little()
    }
}
