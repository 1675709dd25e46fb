//! When memory goes back: purges, on the slow paths of the program's threads or in the purge
//! thread.
//!
//! # Invariant
//!
//! One thread at a time runs a round. On a thread of the program's a round stops when its budget is spent and goes on in
//! the next call that comes by. No lock is held when a round begins or a thread is started, since libc allocates then.
#![forbid(unsafe_code)]

#[path = "purge/round.rs"]
mod round;

use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use super::mail::Mail;
use super::memory::Memory;
use super::pace::Pace;
use super::progress::Progress;
use super::threads::CACHES;
use super::visits::Visits;
use super::young::Youth;
use crate::cache::{SETTLE_MS, ThreadCache};
use crate::config::Config;
use crate::decay::{Budget, Elapsed, STEPS};
use crate::heap::Round;
use crate::sys;

/// What may wait in a cache, until somebody looks.
const CACHE_BYTES: usize = 64 << 10;
/// Milliseconds between two forks that give memory back, and by how much longer that is where there was none.
const FORK_MS: u64 = 10;
const FORK_PAUSES: u64 = 10;

/// When the next round is due, and who runs it.
#[derive(Debug)]
pub(super) struct Purge {
    pub(super) pace: Pace,
    next: AtomicU64,
    last: AtomicU64,
    /// When a slow path was last taken.
    seen: AtomicU64,
    /// The round that goes on.
    progress: Progress,
    /// The visit to all caches that goes on.
    visits: Visits,
    /// When caches were last visited.
    visited: AtomicU64,
    /// Bytes that waited in caches then.
    parked: AtomicUsize,
    /// How many caches those were.
    known: AtomicUsize,
    /// How often `malloc_trim` asked for what other threads have cached.
    trims: AtomicU32,
    /// When memory is next given back for a fork.
    fork_at: AtomicU64,
    is_running: AtomicBool,
    /// Print statistics when the program ends.
    pub(super) stats_at_exit: AtomicBool,
    pub(super) mail: Mail,
    pub(super) youth: Youth,
}

// ORDERING: relaxed throughout this file but for `is_running`. These are times and wishes; what a round does is ordered by
// the locks that it takes.

impl Purge {
    /// Purging as it is configured.
    pub(super) fn new(config: &Config) -> Self {
        let pace = Pace::new(config.purge_ms);
        Self {
            next: AtomicU64::new(pace.first()),
            last: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            progress: Progress::over(),
            visits: Visits::over(),
            visited: AtomicU64::new(0),
            parked: AtomicUsize::new(0),
            known: AtomicUsize::new(0),
            trims: AtomicU32::new(0),
            fork_at: AtomicU64::new(0),
            is_running: AtomicBool::new(false),
            stats_at_exit: AtomicBool::new(config.stats_at_exit),
            mail: Mail::new(),
            youth: Youth::new(),
            pace,
        }
    }

    /// Whether memory that is unused goes back at all.
    pub(super) fn is_on(&self) -> bool {
        self.step() > 0
    }

    pub(super) fn step(&self) -> u64 {
        self.pace.step()
    }

    /// In a forked child: nobody runs a round.
    pub(super) fn begin_child(&self) {
        self.is_running.store(false, Relaxed);
        self.mail.begin_child();
        self.youth.begin_child();
    }

    /// Changes how fast memory goes back; `None` for never.
    pub(super) fn set_purge_ms(&self, all: Option<u64>) {
        self.pace.set(all);
        self.next.store(self.pace.first(), Relaxed);
    }

    /// Whether a round was not over when its budget was spent.
    #[inline]
    pub(super) fn is_unfinished(&self) -> bool {
        self.next.load(Relaxed) == 0
    }

    /// A slow path is taken at this moment; returns when the last one was.
    pub(super) fn see(&self, now: u64) -> u64 {
        let seen = self.seen.load(Relaxed);
        if seen != now {
            self.seen.store(now, Relaxed);
        }
        seen
    }

    /// Runs the round that is due, on a thread of the program's that holds no lock; but not before it is `head_start`
    /// milliseconds late.
    pub(super) fn run_if_due(
        &self,
        memory: Memory<'_>,
        now: u64,
        seen: u64,
        head_start: u64,
        cache: &ThreadCache,
    ) {
        if now < self.next.load(Relaxed).saturating_add(head_start) {
            // Perhaps another thread ran the rest of the round.
            cache.await_thread(false);
        } else if self.youth.puts_off() {
            // Most children of a fork live shorter than that, and each page that a round writes to would be copied.
            self.last.store(now, Relaxed);
            self.next.store(now + self.step(), Relaxed);
        } else {
            cache.inside(|| self.round(memory, now, seen, Some(cache)));
        }
    }

    /// Gives back what was not needed for some time; returns how many bytes. `own` is the caller's cache, none in
    /// the purge thread. Does nothing while another thread does.
    #[cold]
    fn round(&self, memory: Memory<'_>, now: u64, seen: u64, own: Option<&ThreadCache>) -> usize {
        // ORDERING: acquire, pairs with the release below: a round goes on where it stopped.
        if self.is_running.swap(true, Acquire) {
            return 0;
        }
        self.youth.end(own.is_some());
        // A round from before a long rest says nothing of the rest, which nobody would make up for.
        let is_rested = self.pace.steps_between(seen, now) >= STEPS;
        let bytes = match self.progress.get() {
            round
                if !is_rested
                    && (!memory.heap.is_over(round) || self.visits.is_on.load(Relaxed)) =>
            {
                self.go_on(memory, now, round, own)
            }
            _ => match self.begin(now, seen) {
                Some(round) => {
                    memory.decay_named(round.elapsed, own.is_some());
                    self.go_on(memory, now, round, own)
                }
                None => 0,
            },
        };
        // ORDERING: release, as above.
        self.is_running.store(false, Release);
        bytes
    }

    /// Gives back what is free, however lately it was needed, as far as the budget goes. Does nothing while another thread
    /// runs a round. Returns the number of bytes.
    pub(super) fn round_at_once(&self, memory: Memory<'_>, budget: &mut Budget) -> usize {
        // ORDERING: acquire, as in `round`.
        if self.is_running.swap(true, Acquire) {
            return 0;
        }
        self.visits.begin();
        let bytes = self.visit_caches(memory, Elapsed::AT_REST, budget);
        let mut round = Round::new(Elapsed::AT_REST);
        let bytes = bytes + memory.heap.decay_some(&mut round, budget);
        // ORDERING: release, as above.
        self.is_running.store(false, Release);
        bytes
    }

    /// Begins a round, with a visit to all caches if `visits`, which calls of the program's go on with. The caller has the
    /// round.
    pub(super) fn force_round(&self, visits: bool) {
        if visits {
            self.visits.begin();
        }
        self.progress.set(Round::new(Elapsed::FOR_EVER));
        self.next.store(0, Relaxed);
    }

    /// Runs `work` unless a round is on; none begins meanwhile.
    pub(super) fn exclusively(&self, work: impl FnOnce()) {
        // ORDERING: acquire and release, as in `round`.
        if !self.is_running.swap(true, Acquire) {
            work();
            self.is_running.store(false, Release);
        }
    }

    /// Calls `work`, which gives memory back before a fork and returns how much, unless it was called lately or a round is
    /// on.
    pub(super) fn run_for_fork(&self, work: impl FnOnce() -> usize) {
        let now = sys::milliseconds();
        let is_due = self.is_on() && now >= self.fork_at.load(Relaxed);
        // ORDERING: acquire, as in `round`.
        if !is_due || self.is_running.swap(true, Acquire) {
            return;
        }
        let pause = if work() > 0 {
            FORK_MS
        } else {
            FORK_MS * FORK_PAUSES
        };
        self.fork_at.store(now + pause, Relaxed);
        // ORDERING: release, as above.
        self.is_running.store(false, Release);
    }

    /// The number of a new visitor of caches.
    pub(super) fn number_visitor(&self) -> u32 {
        self.trims.fetch_add(1, Relaxed).wrapping_add(1).max(1)
    }

    /// A round in the purge thread, if one is due; the bytes, and whether the program has done nothing for
    /// long. Milliseconds until the next if none is.
    pub(super) fn serve(&self, memory: Memory<'_>) -> Result<(usize, bool), u64> {
        let now = sys::milliseconds();
        let next = self.next.load(Relaxed);
        if now < next {
            return Err((next - now).max(SETTLE_MS));
        }
        let seen = self.seen.load(Relaxed);
        let bytes = self.round(memory, now, seen, None);
        Ok((bytes, self.pace.steps_between(seen, now) > 2 * STEPS))
    }

    /// Bytes that wait in caches; of those that were not visited yet a guess.
    pub(super) fn parked_bytes(&self) -> usize {
        let unknown = CACHES.count().saturating_sub(self.known.load(Relaxed));
        self.parked.load(Relaxed) + unknown * CACHE_BYTES
    }
}
