//! The heap profile: which stacks hold how much memory, by samples.
//!
//! # Invariant
//!
//! What was sampled stays known until it is freed, also when the profile was switched off meanwhile. The tables are made when
//! it is switched on first, and stay.

mod dump;
mod interval;
pub(crate) mod layout;
mod sample;
mod stack;
mod sums;
mod tables;

use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed, Ordering::Release};

pub(crate) use interval::FRACTION_BITS;
pub(crate) use stack::DEPTH;
pub(crate) use tables::Lifted;

use crate::sync::Once;
use crate::sys::{self, usdt};
use tables::Tables;

/// Bytes between two samples where nobody says.
pub(crate) const DEFAULT_RATE: u64 = 512 << 10;

/// A process's heap profile.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Profile {
    /// Bytes between two samples in the mean; 0 while it is off.
    rate: AtomicU64,
    /// When it was switched on last, in milliseconds; 0 for never.
    started: AtomicU64,
    /// Where the tables are, for readers outside of the process.
    known: AtomicPtr<Tables>,
    /// The state of the generator of random numbers.
    random: AtomicU64,
    tables: Once<Tables>,
}

// ORDERING: relaxed where nothing else is said. A sample more or less, by the rate of before, is as good as any.

impl Profile {
    /// One that is off.
    pub(crate) const fn new() -> Self {
        Self {
            rate: AtomicU64::new(0),
            started: AtomicU64::new(0),
            known: AtomicPtr::new(core::ptr::null_mut()),
            random: AtomicU64::new(0),
            tables: Once::new(),
        }
    }

    /// Bytes between two samples; `None` while it is off.
    #[inline]
    pub(crate) fn rate(&self) -> Option<u64> {
        Some(self.rate.load(Relaxed)).filter(|rate| *rate != 0)
    }

    /// Switches it on, with a sample every `rate` bytes, not 0, in the mean. `false` where there is no memory for that.
    pub(crate) fn switch_on(&self, rate: u64) -> bool {
        let Some(tables) = self.tables.get_or_try_make(Tables::new) else {
            return false;
        };
        let place = core::ptr::from_ref(tables).cast_mut();
        // ORDERING: release: who sees the place sees the tables.
        self.known.store(place, Release);
        if self.random.load(Relaxed) == 0 {
            let seed = sys::microseconds() ^ (sys::process_id() as u64) << 32;
            self.random.store(seed, Relaxed);
        }
        self.started.store(sys::milliseconds().max(1), Relaxed);
        self.rate.store(rate.max(1), Relaxed);
        true
    }

    /// Switches it off. What was sampled stays known.
    pub(crate) fn switch_off(&self) {
        self.rate.store(0, Relaxed);
    }

    /// Bytes to the next sample of a thread; `None` while it is off.
    pub(crate) fn next_distance(&self) -> Option<u64> {
        let rate = self.rate()?;
        // Two threads at once may get the same number, which is random for both.
        let (number, state) = interval::random(self.random.load(Relaxed));
        self.random.store(state, Relaxed);
        Some(interval::distance(rate, number))
    }

    /// Enters a block of `bytes` that is a sample, and whose allocation led through these frames; `label` is the word of whose it is.
    #[inline(never)]
    pub(crate) fn begin(&self, address: usize, bytes: usize, label: u32, frames: &[usize]) {
        if let (Some(tables), Some(rate)) = (self.tables.get(), self.rate()) {
            let count = interval::count(rate, bytes);
            tables.begin(address, bytes, count, label, frames);
            usdt::sample(address, bytes);
        }
    }

    /// Takes a block out that is freed, if it is a sample.
    #[inline]
    pub(crate) fn end(&self, address: usize) {
        if let Some(tables) = self.tables.get() {
            let _ = tables.end(address);
        }
    }

    /// Whether it was ever on.
    #[inline]
    pub(crate) fn is_known(&self) -> bool {
        !self.known.load(Relaxed).is_null()
    }

    /// Takes the entry of a block out that is about to change its length, and perhaps its place, if it is a sample.
    pub(crate) fn lift(&self, address: usize) -> Option<Lifted> {
        self.tables.get()?.lift(address)
    }

    /// Enters such a block again, which has `bytes` now; `None` for as many as before.
    pub(crate) fn put_back(&self, lifted: Lifted, address: usize, bytes: Option<usize>) {
        if let Some(tables) = self.tables.get() {
            tables.put_back(lifted, address, bytes);
        }
    }

    /// Takes the lock, to hold it across a fork.
    pub(crate) fn hold_for_fork(&self) {
        self.tables.get().inspect(|tables| tables.hold_for_fork());
    }

    /// Whether nobody holds the lock at this moment.
    pub(crate) fn is_quiet(&self) -> bool {
        self.tables.get().is_none_or(Tables::is_quiet)
    }
}

#[cfg(test)]
mod tests;
