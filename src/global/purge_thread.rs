//! The purge thread: it gives memory back while the program's threads sleep.
//!
//! # Invariant
//!
//! It is started from `malloc` alone, never from `free`: libc frees with locks held that starting a
//! thread needs. It has no cache, runs no signal handler, and does not outlive the program's last thread but one.
#![forbid(unsafe_code)]

use core::ffi::c_void;
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Relaxed, SeqCst},
    fence,
};

use super::life::{CACHES, PROCESS, Process, leave_caches};
use crate::config::ThreadChoice;
use crate::decay::{Budget, STEPS};
use crate::sys::{self, Bell};

/// A process with several threads gets a purge thread when it has touched more than this; what it frees
/// later, perhaps without another call of `malloc`, can go then.
const THREAD_BYTES: usize = 32 << 20;
/// A purge thread that sleeps is woken when more than this waits unused …
const WAKE_BYTES: usize = 1 << 20;
/// … and at once, without a look at the clock, when it is more than this.
const MUCH_BYTES: usize = 8 << 20;
/// Rounds without anything to do after which it sleeps or ends.
const EMPTY_ROUNDS: u32 = 2 * STEPS;

/// Milliseconds between two looks for what nobody gives notice of: the end of the first thread while it is the only one,
/// and those of threads without a hook.
const LOOK_MS: u64 = 1_000;
const UNNOTICED_MS: u64 = 100;
/// Milliseconds after its end in which it is not started again: a program may start one thread after the other.
const PAUSE_MS: u64 = 1_000;

/// States.
const ABSENT: u32 = 0;
const RUNNING: u32 = 1;
const SLEEPING: u32 = 2;
/// There will be none: it is not wanted, or could not be started.
const NEVER: u32 = 3;
/// The last thread but one of the program has ended while it ran or slept.
const LAST: u32 = 4;
/// The code that it runs is about to go.
const END: u32 = 5;

/// Its number before it runs.
const STARTING: u32 = u32::MAX;

/// What the program is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// It allocates.
    Malloc,
    /// It frees.
    Free,
}

/// The thread, if there is one.
#[derive(Debug)]
pub(super) struct PurgeThread {
    choice: ThreadChoice,
    state: AtomicU32,
    /// What it sleeps on.
    pub(super) bell: Bell,
    /// Whether the process was born behind a filter of system calls, as in most containers.
    was_filtered: bool,
    /// When it may be started again, in milliseconds.
    again_at: AtomicU64,
    /// Whether what is free is to go before it ends.
    owes: AtomicBool,
    /// The kernel's number of the last one that was started, 0 for none.
    number: AtomicU32,
}

// ORDERING: relaxed where nothing else is said: wishes, and a futex word that sleepers look at again.

impl PurgeThread {
    /// None yet, and none ever without purging.
    pub(super) fn new(choice: ThreadChoice, purges: bool) -> Self {
        let is_off = !purges || choice == ThreadChoice::Off;
        let was_filtered = sys::is_filtered();
        if !was_filtered && choice != ThreadChoice::Off {
            // Later it takes long.
            sys::prepare_barrier();
        }
        Self {
            choice,
            state: AtomicU32::new(if is_off { NEVER } else { ABSENT }),
            bell: Bell::new(),
            was_filtered,
            again_at: AtomicU64::new(0),
            owes: AtomicBool::new(false),
            number: AtomicU32::new(0),
        }
    }

    pub(super) fn begin_child(&self) {
        if self.state.load(Relaxed) != NEVER {
            self.state.store(ABSENT, Relaxed);
        }
        self.bell.begin_child();
        self.again_at.store(0, Relaxed);
    }

    /// Wakes the thread if there is something for it to do, or starts it.
    pub(super) fn call(&self, process: &'static Process, moment: Moment) {
        // ORDERING: pairs with the fence in `serve`: either this thread sees the other asleep, or that one sees
        // what this one has freed.
        fence(SeqCst);
        match self.state.load(Relaxed) {
            SLEEPING => {
                let idle = process.heap.free_bytes() + process.purge.parked_bytes();
                if idle > WAKE_BYTES {
                    self.wake();
                }
            }
            ABSENT if moment == Moment::Malloc => self.start(process),
            _ => (),
        }
    }

    /// Wakes the thread if much is unused, or starts it.
    #[inline]
    pub(super) fn call_if_much(&self, process: &'static Process, moment: Moment) {
        match self.state.load(Relaxed) {
            SLEEPING if process.heap.free_bytes() > MUCH_BYTES => self.wake(),
            ABSENT if moment == Moment::Malloc => self.start(process),
            _ => (),
        }
    }

    /// Returns by how many milliseconds a round is late before a thread of the program's runs it: while this one is
    /// awake, it comes first.
    pub(super) fn head_start(&self, step: u64) -> u64 {
        match self.state.load(Relaxed) {
            RUNNING => step,
            _ => 0,
        }
    }

    /// Whether the kernel may be asked for what a sandbox may kill for. With `purge_thread:off` it may not even be asked
    /// whether there is a sandbox.
    pub(super) fn may_ask_kernel(&self) -> bool {
        self.choice != ThreadChoice::Off && (self.was_filtered || !sys::is_filtered())
    }

    /// Ends the thread, since only one thread of the program is left. Everything that is free goes before, unless it has
    /// gone.
    pub(super) fn note_last_exit(&self, is_settled: bool) {
        self.owes.store(!is_settled, Relaxed);
        // ORDERING: pairs with the fence in `serve`: either this thread sees the state that the other one is in, or
        // that one sees that it is alone.
        fence(SeqCst);
        if self.turn(SLEEPING, LAST) || self.turn(RUNNING, LAST) {
            self.bell.ring();
        }
    }

    /// There may be one from now on, if it was not for want of purging alone.
    pub(super) fn allow(&self) {
        if self.choice != ThreadChoice::Off {
            let _ = self.turn(NEVER, ABSENT);
        }
        self.bell.ring();
    }

    /// Ends the thread for good; returns whether it has left its code, after at most `patience` milliseconds.
    pub(super) fn end(&self, patience: u64) -> bool {
        // ORDERING: as in `turn`.
        self.state.swap(END, AcqRel);
        if self.number.load(Relaxed) == 0 {
            return true;
        }
        self.bell.ring();
        if !self.may_ask_kernel() {
            return false;
        }
        let is_gone = || match self.number.load(Relaxed) {
            0 => true,
            STARTING => false,
            number => !sys::has_thread(number),
        };
        let deadline = sys::milliseconds() + patience;
        let mut looks = 0;
        while !is_gone() {
            if sys::milliseconds() > deadline {
                return false;
            }
            looks += 1;
            // It has a few instructions to go, most of the time.
            if looks < 100 {
                sys::yield_now();
            } else {
                sys::sleep(1);
            }
        }
        true
    }

    #[cold]
    fn wake(&self) {
        if self.turn(SLEEPING, RUNNING) {
            self.bell.ring();
        }
    }

    #[cold]
    fn start(&self, process: &'static Process) {
        if !self.is_wanted(process) || !self.turn(ABSENT, RUNNING) {
            return;
        }
        // A child of vfork(2) runs in its parent's memory, where a thread of its own would be lost.
        // A program that locked itself in meanwhile may be killed for it.
        let is_free = self.was_filtered || !sys::is_filtered();
        if is_free && sys::is_vfork_child() {
            self.state.store(ABSENT, Relaxed);
            return;
        }
        if is_free {
            self.bell.hang();
        }
        self.number.store(STARTING, Relaxed);
        if !is_free || !sys::start_thread(work) {
            self.number.store(0, Relaxed);
            self.state.store(NEVER, Relaxed);
        }
    }

    fn is_wanted(&self, process: &Process) -> bool {
        match self.choice {
            ThreadChoice::On => true,
            ThreadChoice::Auto => {
                let touched = || process.heap.touched_bytes() + process.purge.parked_bytes();
                let threads = CACHES.count();
                let is_paused =
                    || threads == 2 && sys::milliseconds() < self.again_at.load(Relaxed);
                threads > 1 && touched() > THREAD_BYTES && !is_paused()
            }
            ThreadChoice::Off => false,
        }
    }

    fn turn(&self, from: u32, to: u32) -> bool {
        // ORDERING: acquire and release: who ends a thread that runs knows the bell that was hung for it.
        self.state
            .compare_exchange(from, to, AcqRel, Relaxed)
            .is_ok()
    }

    /// A round for each step, until there is nothing to do or nobody to do it for.
    fn serve(&self, process: &Process) {
        let unused = || process.heap.free_bytes() + process.purge.parked_bytes();
        let mut empty = 0;
        loop {
            let rung = self.bell.count();
            if self.is_over() {
                break;
            }
            let before = unused();
            let (bytes, is_quiet) = match process.purge.serve(process) {
                Ok(round) => round,
                Err(milliseconds) => {
                    self.bell.wait(rung, Some(milliseconds));
                    continue;
                }
            };
            // Where nothing happens, nothing more will go.
            let is_done = bytes == 0 && (is_quiet || unused() <= WAKE_BYTES);
            empty = if is_done { empty + 1 } else { 0 };
            if empty < EMPTY_ROUNDS {
                continue;
            }
            empty = 0;
            if !self.is_wanted(process) {
                break;
            }
            if !self.turn(RUNNING, SLEEPING) {
                continue;
            }
            // ORDERING: pairs with the fences in `call` and `note_last_exit`. Who freed much since the round, or ended,
            // and did not see this thread asleep is seen from here on.
            fence(SeqCst);
            if unused() > before.max(WAKE_BYTES) {
                self.turn(SLEEPING, RUNNING);
            }
            loop {
                let rung = self.bell.count();
                let is_asleep = self.state.load(Relaxed) == SLEEPING && !self.is_over();
                if !is_asleep || process.purge.mail.is_waiting() {
                    break;
                }
                let milliseconds = match CACHES.count() {
                    _ if CACHES.has_lifelines() => Some(UNNOTICED_MS),
                    0 | 1 => Some(LOOK_MS),
                    _ => None,
                };
                self.bell.wait(rung, milliseconds);
            }
            self.turn(SLEEPING, RUNNING);
        }
        // Nobody else will, if the last thread sleeps.
        let is_ended = || self.state.load(Relaxed) == END;
        while !is_ended() && self.owes.load(Relaxed) && CACHES.count() <= 1 && unused() > WAKE_BYTES
        {
            CACHES.cool_all();
            if process
                .purge
                .round_at_once(process, &mut Budget::unlimited())
                == 0
            {
                break;
            }
        }
        if CACHES.count() <= 1 {
            self.again_at.store(sys::milliseconds() + PAUSE_MS, Relaxed);
        }
        let _ = self.turn(LAST, ABSENT) || self.turn(RUNNING, ABSENT);
    }

    /// Whether there is nobody left to work for: one thread of the program's can do it by itself. If a thread for it is
    /// wanted in any case, that holds until the first thread has ended too, of which nobody gives notice.
    fn is_over(&self) -> bool {
        // What this said is looked at now.
        if self.state.load(Relaxed) == END {
            return true;
        }
        self.turn(LAST, RUNNING);
        // ORDERING: pairs with the fence in `note_last_exit`.
        fence(SeqCst);
        CACHES.reap(usize::MAX);
        let is_only = CACHES.count() <= 1;
        is_only && (self.choice != ThreadChoice::On || sys::is_main_thread_gone())
    }
}

extern "C" fn work(_nothing: *mut c_void) -> *mut c_void {
    sys::name_thread(cstr::cstr!("slub-purge"));
    // What libc frees at the thread's end needs no cache.
    leave_caches();
    if let Some(process) = PROCESS.get() {
        let thread = &process.purge.thread;
        thread.number.store(sys::kernel_thread_id(), Relaxed);
        thread.serve(process);
    }
    core::ptr::null_mut()
}
