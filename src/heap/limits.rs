//! Keeping to a limit: memory that is not resident yet is charged to one budget, and a request that finds it used up has
//! the limit and the usage looked at again.
//!
//! # Invariant
//!
//! No file is read while a lock is held that a request needs which fits into the budget. What others may still take is
//! not withdrawn for a look, and not for a request that does not fit.
#![forbid(unsafe_code)]

mod bounds;
mod usage;

use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use super::Heap;
use crate::decay::Elapsed;
use crate::limit::{self, Budget, Limit, Numbers, Usage};
use crate::report;
use crate::sync::{Lock, StaticRef};
use crate::sys;

/// The limit, what is left of it, and whether it is near.
#[derive(Debug)]
pub(crate) struct Bounds {
    limit: Limit,
    /// What was chosen while the program runs, in place of that; 0 for nothing.
    chosen: AtomicUsize,
    /// The limit when it was last looked at.
    pub(super) hard: AtomicUsize,
    soft: AtomicUsize,
    /// None without a limit.
    budget: StaticRef<Budget>,
    is_tight: AtomicBool,
    /// Held while the budget is renewed, without a system call.
    renewing: Lock<()>,
    /// How often it was.
    renewals: AtomicU32,
    /// When somebody last looked, in milliseconds.
    read_at: AtomicU64,
    /// Held while what is unused goes back for want of memory, by those that would be refused without.
    relieving: Lock<()>,
    /// When that was last done because memory was short, in milliseconds, and from when on it is worth the effort again
    /// where it did not help, in microseconds.
    relieved_at: AtomicU64,
    relief_due: AtomicU64,
    /// When a request was last refused, in milliseconds, and how much this process had then.
    refused_at: AtomicU64,
    refused_own: AtomicUsize,
    /// Whether the process was born under a filter of system calls, as in most containers.
    was_filtered: bool,
}

/// Retries after other threads have consumed a grant.
const ATTEMPTS: usize = 16;
/// A limit that others may change is looked at again after this time, in milliseconds.
const STALE_MS: u64 = 250;
/// Minimum interval between two times that unused memory is given back because memory is short, in milliseconds.
const RELIEF_MS: u64 = 100;
/// Giving back in vain is repeated after this many times the time that it took.
const VAIN_SHARE: u64 = 16;

// ORDERING: relaxed where nothing else is said: times, and hints how much to keep.

impl Heap {
    /// Whether memory is short, so that nothing should be kept for later.
    pub(crate) fn is_tight(&self) -> bool {
        self.bounds.is_tight.load(Relaxed)
    }

    /// Takes something of `bytes` by `take`, and looks at the limit again if that is refused for want of a budget.
    pub(crate) fn take_within<T>(&self, bytes: usize, take: impl Fn() -> Option<T>) -> Option<T> {
        let Some(budget) = self.budget() else {
            return take();
        };
        self.renew_if_stale(budget);
        for _ in 0..ATTEMPTS {
            // ORDERING: acquire, pairs with the release in `look`: a request that fails after a renewal has seen it.
            let renewals = self.bounds.renewals.load(Acquire);
            let taken = take();
            if taken.is_some() || !self.may_take(budget, bytes, renewals) {
                return taken;
            }
        }
        take()
    }

    /// Charges what becomes resident from now on, if there is a limit.
    pub(super) fn obey(&self) {
        let Some(first) = self.nodes().next().filter(|_| !self.bounds.limit.is_off()) else {
            return;
        };
        self.charge_all_to(&first.charges);
    }

    /// Changes the limit to `bytes`, to that of the start if they are 0, or to none.
    pub(crate) fn set_limit(&self, bytes: Option<usize>) {
        let bounds = &self.bounds;
        bounds.chosen.store(bytes.unwrap_or(usize::MAX), Relaxed);
        let Numbers { hard, soft } = bounds.limit.numbers();
        bounds.hard.store(hard, Relaxed);
        bounds.soft.store(soft, Relaxed);
        let first = self.nodes().next();
        if let Some(budget) = self.budget().or(first.map(|first| &first.charges)) {
            self.charge_all_to(budget);
        }
    }

    /// Charges what becomes resident from now on to `budget`, which holds something before anybody is.
    fn charge_all_to(&self, budget: &'static Budget) {
        self.renew(budget, 0);
        self.bounds.budget.set(Some(budget));
        self.nodes().for_each(|node| node.arena().charge_to(budget));
        self.huge.charge_to(budget);
    }

    /// What becomes resident is charged to; `None` without a limit.
    pub(crate) fn budget(&self) -> Option<&'static Budget> {
        self.bounds.budget.get()
    }

    /// Whether `bytes` can be had as long as the limit is what it is.
    pub(crate) fn can_ever_take(&self, bytes: usize) -> bool {
        let nothing = Usage::of(0);
        self.bounds.numbers().grant(nothing, bytes).fits
    }

    /// Whether a request of `bytes` is refused because of the limit at this moment.
    pub(super) fn lacks_budget(&self, bytes: usize) -> bool {
        self.budget().is_some_and(|budget| budget.left() < bytes)
    }

    /// Looks at the limit again because `bytes` were refused, `renewals` of the budget having been seen before; returns whether it
    /// is worth another attempt. What is unused goes back if memory is short.
    #[cold]
    #[inline(never)]
    fn may_take(&self, budget: &Budget, bytes: usize, renewals: u32) -> bool {
        // Who is about to abort holds locks, perhaps.
        if report::is_ending() {
            return false;
        }
        let bounds = &self.bounds;
        if budget.left() >= bytes {
            // It was not for want of a budget, unless that came meanwhile, perhaps at this moment.
            let _renewing = bounds.renewing.lock();
            return bounds.renewals.load(Relaxed) != renewals;
        }
        if !self.may_renew() {
            return false;
        }
        let fits = self.renew(budget, bytes);
        let is_time = || is_due(&bounds.relieved_at, sys::milliseconds(), RELIEF_MS);
        if fits && !(self.is_tight() && is_time()) {
            return true;
        }
        if self.can_ever_take(bytes) && self.relieve(budget, bytes) || fits {
            return true;
        }
        bounds.refused_own.store(self.resident_bytes(), Relaxed);
        bounds.refused_at.store(sys::milliseconds(), Relaxed);
        false
    }

    /// Returns `false` if another request was refused a moment ago, and neither the limit nor this process is another
    /// since: a program out of memory may ask often.
    fn may_renew(&self) -> bool {
        let bounds = &self.bounds;
        let known = bounds.numbers();
        bounds.refused_at.load(Relaxed) != sys::milliseconds()
            || self.resident_bytes() < bounds.refused_own.load(Relaxed)
            || self.free_bytes() > 0
            || bounds.may_read() && bounds.limit.numbers_now(known, limit::read_file) != known
    }

    /// Gives back what is unused and looks again, or waits for a thread that does; returns whether `bytes` fit then.
    fn relieve(&self, budget: &Budget, bytes: usize) -> bool {
        let bounds = &self.bounds;
        let relieving = bounds.relieving.lock();
        if budget.left() >= bytes {
            return true;
        }
        let start = sys::microseconds();
        if start >= bounds.relief_due.load(Relaxed) {
            self.decay(Elapsed::FOR_EVER);
            let fits = self.renew(budget, bytes);
            let end = sys::microseconds();
            let rest = if fits { 0 } else { VAIN_SHARE * (end - start) };
            bounds.relief_due.store(end + rest, Relaxed);
            return fits;
        }
        if self.free_bytes() == 0 {
            return false;
        }
        self.huge.trim();
        self.nodes().for_each(|node| _ = node.arena().purge());
        drop(relieving);
        self.renew(budget, bytes)
    }

    /// Looks at a limit that others may change, if nobody has for some time.
    #[inline]
    fn renew_if_stale(&self, budget: &Budget) {
        let bounds = &self.bounds;
        if bounds.limit.group().is_none() || report::is_ending() {
            return;
        }
        if is_due(&bounds.read_at, sys::milliseconds(), STALE_MS) {
            self.renew(budget, 0);
            if self.is_tight() && is_due(&bounds.relieved_at, sys::milliseconds(), RELIEF_MS) {
                // More than there is: it goes back before the kernel asks for it.
                self.relieve(budget, usize::MAX);
                self.renew(budget, 0);
            }
        }
    }

    /// Reads the limit and the usage and renews the budget; returns whether `bytes` fit, or another thread was faster.
    #[cold]
    #[inline(never)]
    pub(super) fn renew(&self, budget: &Budget, bytes: usize) -> bool {
        let bounds = &self.bounds;
        // ORDERING: acquire, pairs with the release below: what is left is that of this renewal, or less.
        let renewals = bounds.renewals.load(Acquire);
        // In this order: what is charged meanwhile is counted in one place at least, or taken off.
        let seen = budget.left();
        let own = self.resident_bytes();
        let (numbers, usage) = self.usage(own);
        let grant = numbers.grant(usage, bytes);
        let _renewing = bounds.renewing.lock();
        if bounds.renewals.load(Relaxed) != renewals {
            return true;
        }
        budget.renew(seen, grant.bytes);
        bounds.hard.store(numbers.hard, Relaxed);
        bounds.soft.store(numbers.soft, Relaxed);
        bounds.is_tight.store(grant.is_tight, Relaxed);
        // ORDERING: release, see above.
        bounds.renewals.store(renewals.wrapping_add(1), Release);
        grant.fits
    }
}

/// Returns `true` to one thread if `interval` has passed since the time in `last`, and sets that to `now`.
fn is_due(last: &AtomicU64, now: u64, interval: u64) -> bool {
    let before = last.load(Relaxed);
    let is_first = || last.compare_exchange(before, now, Relaxed, Relaxed).is_ok();
    now >= before.saturating_add(interval) && is_first()
}
