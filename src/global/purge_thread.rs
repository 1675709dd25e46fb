//! The purge thread: it gives memory back while the program's threads sleep.
//!
//! # Invariant
//!
//! It is started from `malloc` alone, never from `free`: libc frees with locks held that starting a
//! thread needs. It has no cache, runs no signal handler, and does not outlive the program's threads.
#![forbid(unsafe_code)]

use core::ffi::c_void;
use core::sync::atomic::{
    AtomicU32, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
    fence,
};

use super::life::{CACHES, PROCESS, Process, leave_caches};
use crate::config::ThreadChoice;
use crate::decay::STEPS;
use crate::sys;

/// A process with several threads gets a purge thread when it has touched more than this; what it frees
/// later, perhaps without another call of `malloc`, can go then.
const THREAD_BYTES: usize = 32 << 20;
/// A purge thread that sleeps is woken when more than this waits unused …
const WAKE_BYTES: usize = 1 << 20;
/// … and at once, without a look at the clock, when it is more than this.
const MUCH_BYTES: usize = 8 << 20;
/// Rounds without anything to do after which it sleeps or ends.
const EMPTY_ROUNDS: u32 = 2 * STEPS;

/// Milliseconds between two looks whether the first thread, if it is the only one, has ended.
const LOOK_MS: u64 = 1_000;

/// States, in a futex word.
const ABSENT: u32 = 0;
const RUNNING: u32 = 1;
const SLEEPING: u32 = 2;
/// There will be none: it is not wanted, or could not be started.
const NEVER: u32 = 3;

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
    process_id: AtomicUsize,
    /// Whether the process was born behind a filter of system calls, as in most containers.
    was_filtered: bool,
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
            process_id: AtomicUsize::new(sys::process_id()),
            was_filtered,
        }
    }

    pub(super) fn begin_child(&self) {
        if self.state.load(Relaxed) != NEVER {
            self.state.store(ABSENT, Relaxed);
        }
        self.process_id.store(sys::process_id(), Relaxed);
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

    /// Whether the kernel may be asked for what a sandbox may kill for. With `purge_thread:off` it may not even be asked
    /// whether there is a sandbox.
    pub(super) fn may_ask_kernel(&self) -> bool {
        self.choice != ThreadChoice::Off && (self.was_filtered || !sys::is_filtered())
    }

    /// Takes note that a thread of the program's has ended: if it was the last, so must this one.
    pub(super) fn note_exit(&self) {
        // ORDERING: pairs with the fence in `serve`: either this thread sees the other asleep, or that one sees
        // that it is alone.
        fence(SeqCst);
        if CACHES.count() <= 1 {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        if self.turn(SLEEPING, RUNNING) {
            sys::futex_wake(&self.state, 1);
        }
    }

    #[cold]
    fn start(&self, process: &'static Process) {
        if !self.is_wanted(process) || !self.turn(ABSENT, RUNNING) {
            return;
        }
        // A child of vfork(2) runs in its parent's memory, where a thread of its own would be lost.
        let is_ours = || sys::process_id() == self.process_id.load(Relaxed);
        // A program that locked itself in meanwhile may be killed for it.
        let is_free = self.was_filtered || !sys::is_filtered();
        if is_free && !is_ours() {
            self.state.store(ABSENT, Relaxed);
        } else if !is_free || !sys::start_thread(work) {
            self.state.store(NEVER, Relaxed);
        }
    }

    fn is_wanted(&self, process: &Process) -> bool {
        match self.choice {
            ThreadChoice::On => true,
            ThreadChoice::Auto => {
                let touched = || process.heap.touched_bytes() + process.purge.parked_bytes();
                CACHES.count() > 1 && touched() > THREAD_BYTES
            }
            ThreadChoice::Off => false,
        }
    }

    fn turn(&self, from: u32, to: u32) -> bool {
        self.state
            .compare_exchange(from, to, Relaxed, Relaxed)
            .is_ok()
    }

    /// A round for each step, until there is nothing to do.
    fn serve(&self, process: &Process) {
        let unused = || process.heap.free_bytes() + process.purge.parked_bytes();
        let mut empty = 0;
        while !is_alone() {
            let before = unused();
            let (bytes, is_quiet) = match process.purge.serve(process) {
                Ok(round) => round,
                Err(milliseconds) => {
                    sys::futex_wait_for(&self.state, RUNNING, milliseconds);
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
            self.state.store(SLEEPING, Relaxed);
            // ORDERING: pairs with the fences in `call` and `note_exit`. Who freed much since the round, or ended,
            // and did not see this thread asleep is seen from here on.
            fence(SeqCst);
            if unused() > before.max(WAKE_BYTES) {
                self.turn(SLEEPING, RUNNING);
            }
            while self.state.load(Relaxed) == SLEEPING && !is_alone() {
                if CACHES.count() > 1 {
                    sys::futex_wait(&self.state, SLEEPING);
                } else {
                    sys::futex_wait_for(&self.state, SLEEPING, LOOK_MS);
                }
            }
        }
        self.state.store(ABSENT, Relaxed);
    }
}

/// Whether the process lives for this thread alone: the others have ended, and the first, which has no hook
/// for its end, too.
fn is_alone() -> bool {
    CACHES.count() <= 1 && sys::is_main_thread_gone()
}

extern "C" fn work(_nothing: *mut c_void) -> *mut c_void {
    sys::name_thread(cstr::cstr!("slub-purge"));
    // What libc frees at the thread's end needs no cache.
    leave_caches();
    if let Some(process) = PROCESS.get() {
        process.purge.thread.serve(process);
    }
    core::ptr::null_mut()
}
