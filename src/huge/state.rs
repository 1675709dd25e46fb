//! What there is of huge blocks, in use and kept.
#![forbid(unsafe_code)]

use super::NotHuge;
use super::demand::Demand;
use super::registry::Registry;
use super::reuse::Reuse;
use crate::decay::LowWater;
use crate::sys::{self, Mapping};

/// Above the limit on what is kept, at most so many times what is in use.
const KEPT_FOR_USED: usize = 4;

#[derive(Debug)]
pub(super) struct State {
    pub(super) registry: Registry,
    pub(super) reuse: Reuse,
    demand: Demand,
    /// The fewest bytes kept of late.
    pub(super) low: LowWater,
    /// Bytes that may still be mapped, until somebody looks at the limit again.
    pub(super) allowance: usize,
    /// Addresses that were freed last, the newest first, to tell a second free from a wild one.
    pub(super) freed: [usize; FREED],
}

/// Freed addresses that are remembered.
const FREED: usize = 16;

impl State {
    /// No blocks, and no limit.
    pub(super) const fn new(reuse_bytes: usize) -> Self {
        Self {
            registry: Registry::new(),
            reuse: Reuse::new(reuse_bytes),
            demand: Demand::none(),
            low: LowWater::none(),
            allowance: usize::MAX,
            freed: [0; FREED],
        }
    }

    /// Gives back what is kept, so far that fresh memory of `bytes` does not make the process larger than
    /// it was of late, or than the limit allows.
    pub(super) fn make_way(&mut self, bytes: usize) {
        let used = self.registry.bytes();
        let needed = self.demand.note(used, sys::milliseconds());
        self.reuse
            .shrink(needed.saturating_sub(used.saturating_add(bytes)));
    }

    /// Keeps a freed mapping as far as the program has needed that much of late: what is kept and
    /// what is in use together are then no more than it had before. Beside little in use little is
    /// kept, since a program that has freed everything may never come back.
    pub(super) fn keep(&mut self, mapping: Mapping) {
        let used = self.registry.bytes();
        let needed = self
            .demand
            .note(used + mapping.bytes(), sys::milliseconds());
        let wanted = (needed - used).min(used.saturating_mul(KEPT_FOR_USED));
        self.reuse.keep(mapping, wanted);
    }

    /// Takes `bytes` out of the allowance; `false` if there is less.
    pub(super) fn afford(&mut self, bytes: usize) -> bool {
        if self.allowance == usize::MAX {
            // There is no limit.
            return true;
        }
        let left = self.allowance.checked_sub(bytes);
        self.allowance = left.unwrap_or(self.allowance);
        left.is_some()
    }

    pub(super) fn note_kept(&mut self) {
        let kept = self.reuse.bytes();
        self.low.note(kept);
    }

    /// Remembers that the block at `address` is gone.
    pub(super) fn note_freed(&mut self, address: usize) {
        self.freed.rotate_right(1);
        if let Some(newest) = self.freed.first_mut() {
            *newest = address;
        }
    }

    /// Why there is no block at `address`.
    pub(super) fn misses(&self, address: usize) -> NotHuge {
        if self.registry.is_inside(address) {
            NotHuge::Inside
        } else if self.freed.contains(&address) {
            NotHuge::Freed
        } else {
            NotHuge::Unknown
        }
    }
}
