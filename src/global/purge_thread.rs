//! The purge thread: it gives memory back while the program's threads sleep.
//!
//! # Invariant
//!
//! It is started only from `malloc`, never from `free`: libc frees with locks held that starting a
//! thread needs. It has no cache, runs no signal handler, and does not outlive the program's last thread but one.
#![forbid(unsafe_code)]

use core::ffi::c_void;
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Relaxed, SeqCst},
    fence,
};

use super::memory::Memory;
use super::purge::Purge;
use super::threads::CACHES;
use crate::config::ThreadChoice;
use crate::sys::{self, Bell};

/// A process with several threads gets a purge thread when it has touched more than this; what it frees
/// later, perhaps without another call of `malloc`, can go then.
const THREAD_BYTES: usize = 32 << 20;
/// A purge thread that sleeps is woken when more than this is unused …
pub(super) const WAKE_BYTES: usize = 1 << 20;
/// … and at once, without a look at the clock, when it is more than this.
const MUCH_BYTES: usize = 8 << 20;

/// States.
pub(super) const ABSENT: u32 = 0;
pub(super) const RUNNING: u32 = 1;
pub(super) const SLEEPING: u32 = 2;
/// There will be none: it is not wanted, or could not be started.
const NEVER: u32 = 3;
/// The last thread but one of the program has ended while it ran or slept.
pub(super) const LAST: u32 = 4;
/// The code that it runs is about to go.
pub(super) const END: u32 = 5;

/// Its number before it runs.
const STARTING: u32 = u32::MAX;

/// What a thread begins with.
type Entry = extern "C" fn(*mut c_void) -> *mut c_void;

/// What the program is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// It allocates.
    Malloc,
    /// It frees.
    Free,
}

/// The thread, if there is one.
#[derive(Debug)]
pub(super) struct PurgeThread {
    pub(super) choice: ThreadChoice,
    pub(super) state: AtomicU32,
    /// What it sleeps on.
    pub(super) bell: Bell,
    /// Whether the process was born under a filter of system calls, as in most containers.
    was_filtered: bool,
    /// When it may be started again, in milliseconds.
    pub(super) again_at: AtomicU64,
    /// Whether what is free is to go before it ends.
    pub(super) owes: AtomicBool,
    /// The kernel's number of the last one that was started, 0 for none.
    pub(super) number: AtomicU32,
    /// What it runs: [`Self::run`], of the process.
    entry: Entry,
}

// ORDERING: relaxed where nothing else is said: wishes, and a futex word that sleepers look at again.

impl PurgeThread {
    /// None yet, and none ever without purging.
    pub(super) fn new(choice: ThreadChoice, purges: bool, entry: Entry) -> Self {
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
            entry,
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
    pub(super) fn call(&self, purge: &Purge, memory: Memory<'_>, trigger: Trigger) {
        // ORDERING: pairs with the fence in `serve`: either this thread sees the other asleep, or that one sees
        // what this one has freed.
        fence(SeqCst);
        match self.state.load(Relaxed) {
            SLEEPING => {
                let idle = memory.heap.free_bytes() + purge.parked_bytes();
                if idle > WAKE_BYTES {
                    self.wake();
                }
            }
            ABSENT if trigger == Trigger::Malloc => self.start(purge, memory),
            _ => (),
        }
    }

    /// Wakes the thread if much is unused, or starts it.
    #[inline]
    pub(super) fn call_if_much(&self, purge: &Purge, memory: Memory<'_>, trigger: Trigger) {
        match self.state.load(Relaxed) {
            SLEEPING if memory.heap.free_bytes() > MUCH_BYTES => self.wake(),
            ABSENT if trigger == Trigger::Malloc => self.start(purge, memory),
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
        // that one sees that it is the only one.
        fence(SeqCst);
        if self.turn(SLEEPING, LAST) || self.turn(RUNNING, LAST) {
            self.bell.ring();
        }
    }

    /// There may be one from now on, unless only purging was off.
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

    /// Has the program's shrinkers run soon, if the thread is there.
    pub(super) fn wake_to_shrink(&self) {
        let _ = self.turn(SLEEPING, RUNNING);
        self.bell.ring();
    }

    #[cold]
    fn wake(&self) {
        if self.turn(SLEEPING, RUNNING) {
            self.bell.ring();
        }
    }

    #[cold]
    fn start(&self, purge: &Purge, memory: Memory<'_>) {
        if !self.is_wanted(purge, memory) || !self.turn(ABSENT, RUNNING) {
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
        if !is_free || !sys::start_thread(self.entry) {
            self.number.store(0, Relaxed);
            self.state.store(NEVER, Relaxed);
        }
    }

    pub(super) fn is_wanted(&self, purge: &Purge, memory: Memory<'_>) -> bool {
        match self.choice {
            ThreadChoice::On => true,
            ThreadChoice::Auto => {
                let touched = || memory.heap.touched_bytes() + purge.parked_bytes();
                let threads = CACHES.count();
                let is_paused =
                    || threads == 2 && sys::milliseconds() < self.again_at.load(Relaxed);
                threads > 1 && touched() > THREAD_BYTES && !is_paused()
            }
            ThreadChoice::Off => false,
        }
    }

    pub(super) fn turn(&self, from: u32, to: u32) -> bool {
        // ORDERING: acquire and release: who ends a thread that runs knows the bell that was hung for it.
        self.state
            .compare_exchange(from, to, AcqRel, Relaxed)
            .is_ok()
    }
}
