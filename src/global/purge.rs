//! When memory goes back: rounds of purging on the slow paths of the program's threads, and by a thread
//! of our own while they sleep.
//!
//! # Invariant
//!
//! One thread at a time runs a round. No lock is held when a thread is started, since libc allocates
//! then.
#![forbid(unsafe_code)]

use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::life::{CACHES, PROCESS, Process, leave_caches};
use crate::cache::{Haste, SETTLE_MS, ThreadCache};
use crate::config::PurgeThread;
use crate::decay::{Elapsed, STEPS};
use crate::sys;

/// A process with several threads gets a purge thread when more than this waits unused.
const THREAD_BYTES: usize = 32 << 20;
/// A purge thread that sleeps is woken when more than this waits unused.
const WAKE_BYTES: usize = 1 << 20;
/// What may wait in a cache, until somebody looks.
const CACHE_BYTES: usize = 64 << 10;
/// Rounds without anything to do after which the purge thread ends or sleeps.
const EMPTY_ROUNDS: u32 = 4 * STEPS;

/// States of the purge thread, in a futex word.
const ABSENT: u32 = 0;
const RUNNING: u32 = 1;
const SLEEPING: u32 = 2;
/// There will be none: it is not wanted, or could not be started.
const NEVER: u32 = 3;

/// When the next round is due, and who runs it.
#[derive(Debug)]
pub(super) struct Purge {
    /// Milliseconds of a step, see `decay.rs`; 0 for no purging.
    step: u64,
    /// Everything that is unused goes at once.
    is_eager: bool,
    wants_thread: PurgeThread,
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
    thread: AtomicU32,
    /// Bytes that were unused when a purge thread last ended.
    ended_with: AtomicUsize,
    process_id: AtomicUsize,
    /// Whether the process was born behind a filter of system calls, as in most containers.
    was_filtered: bool,
}

// ORDERING: relaxed throughout this file. These are times and wishes; what a round does is ordered by
// the locks that it takes.

impl Purge {
    /// Purging over about `milliseconds`; `None` for none.
    pub(super) fn new(milliseconds: Option<u64>, wants_thread: PurgeThread) -> Self {
        let step = milliseconds.map_or(0, |all| (all / u64::from(STEPS)).max(1));
        let is_off = step == 0 || wants_thread == PurgeThread::Off;
        Self {
            step,
            is_eager: milliseconds == Some(0),
            wants_thread,
            next: AtomicU64::new(if step == 0 { u64::MAX } else { 0 }),
            last: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            visited: AtomicU64::new(0),
            parked: AtomicUsize::new(0),
            known: AtomicUsize::new(0),
            is_running: AtomicBool::new(false),
            thread: AtomicU32::new(if is_off { NEVER } else { ABSENT }),
            ended_with: AtomicUsize::new(0),
            process_id: AtomicUsize::new(sys::process_id()),
            was_filtered: sys::is_filtered(),
        }
    }

    /// In a forked child: there is no purge thread, and nobody runs a round.
    pub(super) fn begin_child(&self) {
        self.is_running.store(false, Relaxed);
        if self.thread.load(Relaxed) != NEVER {
            self.thread.store(ABSENT, Relaxed);
        }
        self.ended_with.store(0, Relaxed);
        self.process_id.store(sys::process_id(), Relaxed);
    }

    /// Starts or wakes the purge thread if much was freed since, on a slow path that does not look at the
    /// clock.
    #[inline]
    pub(super) fn glance(&self, process: &'static Process) {
        let state = self.thread.load(Relaxed);
        let most = match state {
            ABSENT => self.ended_with.load(Relaxed) + THREAD_BYTES,
            SLEEPING => THREAD_BYTES,
            _ => return,
        };
        if process.heap.free_bytes() > most {
            self.call_idle_thread(process, state);
        }
    }

    /// Runs a round if one is due, on a slow path of the program's; the caller holds no lock.
    #[inline]
    pub(super) fn tick(&self, process: &'static Process, cache: &ThreadCache) {
        let now = sys::milliseconds();
        let seen = self.seen.load(Relaxed);
        if seen != now {
            self.seen.store(now, Relaxed);
            // Once for each tick of the clock is often enough.
            self.call_thread(process);
        }
        if now >= self.next.load(Relaxed) {
            self.round(process, now, seen, Some(cache));
        }
    }

    /// Gives back what was not needed for some time; how many bytes. `own` is the caller's cache. Does
    /// nothing while another thread does.
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
            let haste = if elapsed.is_long() {
                Haste::Now
            } else {
                Haste::IfIdle
            };
            let mut parked = 0;
            CACHES.for_each(|cache| {
                bytes += cache.visit(haste);
                parked += cache.parked_bytes();
            });
            self.parked.store(parked, Relaxed);
            self.known.store(CACHES.count(), Relaxed);
        }
        // The first round only takes note of what there is.
        if last != 0 {
            bytes += process.heap.decay(elapsed);
        }
        self.is_running.store(false, Relaxed);
        bytes
    }

    fn steps_between(&self, start: u64, end: u64) -> u32 {
        let steps = end.saturating_sub(start).checked_div(self.step);
        u32::try_from(steps.unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// Starts or wakes the purge thread if there is something to do for it.
    #[inline]
    fn call_thread(&self, process: &'static Process) {
        let state = self.thread.load(Relaxed);
        if state == ABSENT || state == SLEEPING {
            self.call_idle_thread(process, state);
        }
    }

    #[cold]
    fn call_idle_thread(&self, process: &'static Process, state: u32) {
        if state == SLEEPING {
            let idle = process.heap.free_bytes() + self.parked_bytes();
            if idle > WAKE_BYTES && self.turn(SLEEPING, RUNNING) {
                sys::futex_wake(&self.thread, 1);
            }
            return;
        }
        let is_wanted = match self.wants_thread {
            PurgeThread::On => true,
            PurgeThread::Auto => CACHES.count() > 1 && self.is_worth_a_thread(process),
            PurgeThread::Off => false,
        };
        if is_wanted
            && self.turn(ABSENT, RUNNING)
            && (!self.may_start() || !sys::start_thread(work))
        {
            self.thread.store(NEVER, Relaxed);
        }
    }

    /// Bytes that wait in caches; of those that were not visited yet a guess.
    fn parked_bytes(&self) -> usize {
        let unknown = CACHES.count().saturating_sub(self.known.load(Relaxed));
        self.parked.load(Relaxed) + unknown * CACHE_BYTES
    }

    /// Whether starting a thread is safe. A program that locked itself in meanwhile may be killed for it,
    /// and a child of vfork(2) runs in its parent's memory, where a thread of its own would be lost.
    fn may_start(&self) -> bool {
        (self.was_filtered || !sys::is_filtered())
            && sys::process_id() == self.process_id.load(Relaxed)
    }

    /// Whether much more is unused than when a thread last found nothing more to do.
    fn is_worth_a_thread(&self, process: &Process) -> bool {
        let idle = process.heap.idle_bytes() + self.parked_bytes();
        let before = self.ended_with.load(Relaxed).min(idle);
        self.ended_with.store(before, Relaxed);
        idle - before > THREAD_BYTES
    }

    fn turn(&self, from: u32, to: u32) -> bool {
        self.thread
            .compare_exchange(from, to, Relaxed, Relaxed)
            .is_ok()
    }

    /// What the purge thread does: a round for each step, until there is nothing to do.
    fn serve(&self, process: &Process) {
        let mut empty = 0;
        loop {
            let left = self.next.load(Relaxed).saturating_sub(sys::milliseconds());
            sys::futex_wait_for(&self.thread, RUNNING, left.max(SETTLE_MS));
            let now = sys::milliseconds();
            if now < self.next.load(Relaxed) {
                continue;
            }
            let seen = self.seen.load(Relaxed);
            let bytes = self.round(process, now, seen, None);
            // Where nothing happens, nothing more will go.
            let is_quiet = self.steps_between(seen, now) > 2 * STEPS;
            let idle = process.heap.free_bytes() + self.parked_bytes();
            let is_done = bytes == 0 && (is_quiet || idle <= WAKE_BYTES);
            empty = if is_done { empty + 1 } else { 0 };
            if empty < EMPTY_ROUNDS {
                continue;
            }
            empty = 0;
            if self.wants_thread != PurgeThread::On {
                let idle = process.heap.idle_bytes() + self.parked_bytes();
                self.ended_with.store(idle, Relaxed);
                self.thread.store(ABSENT, Relaxed);
                return;
            }
            self.thread.store(SLEEPING, Relaxed);
            while self.thread.load(Relaxed) == SLEEPING {
                sys::futex_wait(&self.thread, SLEEPING);
            }
        }
    }
}

/// The purge thread.
extern "C" fn work(_nothing: *mut c_void) -> *mut c_void {
    sys::name_thread(cstr::cstr!("slub-purge"));
    // What libc frees at the thread's end needs no cache.
    leave_caches();
    if let Some(process) = PROCESS.get() {
        process.purge.serve(process);
    }
    core::ptr::null_mut()
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
