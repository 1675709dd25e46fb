//! When memory goes back: rounds of purging, on the slow paths of the program's threads or in the purge
//! thread.
//!
//! # Invariant
//!
//! One thread at a time runs a round. No lock is held when a round begins or a thread is started, since
//! libc allocates then.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::life::{CACHES, Process};
use super::purge_thread::{Moment, PurgeThread};
use crate::cache::{Haste, SETTLE_MS, ThreadCache};
use crate::config::Config;
use crate::decay::{Elapsed, STEPS};
use crate::heap::Hurry;
use crate::sys;

/// What may wait in a cache, until somebody looks.
const CACHE_BYTES: usize = 64 << 10;

/// When the next round is due, and who runs it.
#[derive(Debug)]
pub(super) struct Purge {
    /// Milliseconds of a step, see `decay.rs`; 0 for no purging.
    step: u64,
    /// Everything that is unused goes at once.
    is_eager: bool,
    next: AtomicU64,
    last: AtomicU64,
    /// When a slow path was last taken.
    seen: AtomicU64,
    /// When caches were last visited.
    visited: AtomicU64,
    /// Bytes that waited in caches then.
    parked: AtomicUsize,
    /// How many caches those were.
    known: AtomicUsize,
    is_running: AtomicBool,
    pub(super) thread: PurgeThread,
}

// ORDERING: relaxed throughout this file. These are times and wishes; what a round does is ordered by
// the locks that it takes.

impl Purge {
    /// Purging as it is configured.
    pub(super) fn new(config: &Config) -> Self {
        let step = config
            .purge_ms
            .map_or(0, |all| (all / u64::from(STEPS)).max(1));
        Self {
            step,
            is_eager: config.purge_ms == Some(0),
            next: AtomicU64::new(if step == 0 { u64::MAX } else { 0 }),
            last: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            visited: AtomicU64::new(0),
            parked: AtomicUsize::new(0),
            known: AtomicUsize::new(0),
            is_running: AtomicBool::new(false),
            thread: PurgeThread::new(config.purge_thread, step > 0),
        }
    }

    /// In a forked child: there is no purge thread, and nobody runs a round.
    pub(super) fn begin_child(&self) {
        self.is_running.store(false, Relaxed);
        self.thread.begin_child();
    }

    /// What a slow path of the program's does when it looks at the clock; the caller holds no lock.
    pub(super) fn tick(&self, process: &'static Process, cache: &ThreadCache, moment: Moment) {
        let now = sys::milliseconds();
        let seen = self.seen.load(Relaxed);
        if seen != now {
            self.seen.store(now, Relaxed);
            // Once for each tick of the clock is often enough.
            self.thread.call(process, moment);
        }
        if now >= self.next.load(Relaxed) {
            self.round(process, now, seen, Some(cache));
        }
    }

    /// What a slow path does when it does not look at the clock. Whether it should.
    #[inline]
    pub(super) fn glance(&self, process: &'static Process, moment: Moment) -> bool {
        self.thread.call_if_much(process, moment);
        // A round was in a hurry.
        self.next.load(Relaxed) == 0
    }

    /// Gives back what was not needed for some time; how many bytes. `own` is the caller's cache, none in
    /// the purge thread. Does nothing while another thread does.
    #[cold]
    fn round(&self, process: &Process, now: u64, seen: u64, own: Option<&ThreadCache>) -> usize {
        if self.is_running.swap(true, Relaxed) {
            return 0;
        }
        let last = self.last.swap(now, Relaxed);
        self.next.store(now + self.step, Relaxed);
        let elapsed = if self.is_eager {
            Elapsed::FOR_EVER
        } else {
            Elapsed {
                steps: self.steps_between(last, now).max(1),
                quiet: self.steps_between(seen, now),
            }
        };
        let mut bytes = 0;
        let interval = 2 * self.step;
        if last != 0 && (elapsed.is_long() || now >= self.visited.load(Relaxed) + interval) {
            self.visited.store(now, Relaxed);
            if let Some(own) = own.filter(|_| elapsed.is_long()) {
                own.drain();
            }
            bytes += self.visit_all(elapsed);
        }
        // The first round only takes note of what there is.
        if last != 0 {
            let hurry = if own.is_some() { Hurry::Yes } else { Hurry::No };
            bytes += process.heap.decay(elapsed, hurry);
            if own.is_some() && process.heap.owes() {
                self.next.store(0, Relaxed);
            }
        }
        self.is_running.store(false, Relaxed);
        bytes
    }

    fn visit_all(&self, elapsed: Elapsed) -> usize {
        let haste = if elapsed.is_long() {
            Haste::Now
        } else {
            Haste::IfIdle
        };
        let (mut bytes, mut parked) = (0, 0);
        CACHES.for_each(|cache| {
            bytes += cache.visit(haste);
            parked += cache.parked_bytes();
        });
        self.parked.store(parked, Relaxed);
        self.known.store(CACHES.count(), Relaxed);
        bytes
    }

    /// A round in the purge thread, if one is due; the bytes, and whether the program has done nothing for
    /// long. Milliseconds until the next if none is.
    pub(super) fn serve(&self, process: &Process) -> Result<(usize, bool), u64> {
        let now = sys::milliseconds();
        let next = self.next.load(Relaxed);
        if now < next {
            return Err((next - now).max(SETTLE_MS));
        }
        let seen = self.seen.load(Relaxed);
        let bytes = self.round(process, now, seen, None);
        Ok((bytes, self.steps_between(seen, now) > 2 * STEPS))
    }

    /// Bytes that wait in caches; of those that were not visited yet a guess.
    pub(super) fn parked_bytes(&self) -> usize {
        let unknown = CACHES.count().saturating_sub(self.known.load(Relaxed));
        self.parked.load(Relaxed) + unknown * CACHE_BYTES
    }

    fn steps_between(&self, start: u64, end: u64) -> u32 {
        let steps = end.saturating_sub(start).checked_div(self.step);
        u32::try_from(steps.unwrap_or(0)).unwrap_or(u32::MAX)
    }
}

/// Takes back what waits in the caches of all threads, as far as they leave it alone for a moment.
pub(super) fn collect_caches(between: impl Fn()) {
    CACHES.for_each(|cache| _ = cache.visit(Haste::Now));
    between();
    let mut is_claimed = false;
    CACHES.for_each(|cache| is_claimed |= cache.is_claimed());
    if is_claimed {
        // The clock is coarse.
        sys::sleep(SETTLE_MS + 12);
        CACHES.for_each(|cache| _ = cache.visit(Haste::Never));
        between();
    }
}
