//! A process with one number of unused bytes.
#![forbid(unsafe_code)]

use core::cell::{Cell, RefCell};
use core::ffi::c_void;
use core::sync::atomic::{
    AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use core::world;

use super::mail::{Outcome, Request};
use super::purge::Purge;
use super::purge_thread::PurgeThread;
use crate::cache::{Haste, ThreadCache};
use crate::config::{Config, ThreadChoice};
use crate::decay::{Budget, Elapsed};
use crate::heap::Round;
use crate::sync::Lock;
use crate::sys;

/// What a process has one of.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) heap: Heap,
    pub(super) purge: Purge,
    pub(super) thread: PurgeThread,
    caches: AtomicUsize,
}

/// Unused bytes, under a lock as in the arena; who waits for their end sleeps on a word.
#[derive(Debug)]
pub(super) struct Heap {
    lock: Lock<()>,
    free: AtomicUsize,
    is_gone: AtomicU32,
    is_said: AtomicU32,
}

std::thread_local! {
    static HERE: Cell<Option<&'static Process>> = const { Cell::new(None) };
    static STARTED: Cell<usize> = const { Cell::new(0) };
    static TAKEN: RefCell<Vec<Request>> = const { RefCell::new(Vec::new()) };
}

/// A new process, in which nothing is unused.
pub(super) fn begin() -> &'static Process {
    let config = Config {
        purge_ms: Some(8),
        purge_thread: ThreadChoice::On,
        stats_at_exit: false,
    };
    let process = world::place(Process {
        heap: Heap {
            lock: Lock::new(()),
            free: AtomicUsize::new(0),
            is_gone: AtomicU32::new(0),
            is_said: AtomicU32::new(0),
        },
        purge: Purge::new(&config),
        thread: PurgeThread::new(config.purge_thread, true, run),
        caches: AtomicUsize::new(2),
    });
    HERE.set(Some(process));
    STARTED.set(0);
    TAKEN.take();
    sys::let_main_thread_go(false);
    process
}

/// How many purge threads were started.
pub(super) fn started() -> usize {
    STARTED.get()
}

/// The requests that were taken up.
pub(super) fn taken() -> Vec<Request> {
    TAKEN.take()
}

impl Heap {
    /// A thread frees something.
    pub(super) fn free(&self, bytes: usize) {
        let _lock = self.lock.lock();
        self.free.store(self.free.load(Relaxed) + bytes, Relaxed);
    }

    /// Sleeps until a round has given back what was unused.
    pub(super) fn wait_until_gone(&self) {
        wait(&self.is_gone);
    }

    /// The other thread says that it is done.
    pub(super) fn say(&self) {
        end_wait(&self.is_said);
    }

    /// Sleeps until it has said so.
    pub(super) fn wait_for_word(&self) {
        wait(&self.is_said);
    }

    pub(super) fn decay_some(&self, round: &mut Round, _budget: &mut Budget) -> usize {
        round.stage = usize::MAX;
        let _lock = self.lock.lock();
        let bytes = self.free.load(Relaxed);
        if bytes > 0 {
            self.free.store(0, Relaxed);
            end_wait(&self.is_gone);
        }
        bytes
    }

    pub(super) fn free_bytes(&self) -> usize {
        self.free.load(Relaxed)
    }

    pub(super) fn touched_bytes(&self) -> usize {
        usize::MAX / 2
    }

    pub(super) fn is_over(&self, round: Round) -> bool {
        round.stage == usize::MAX
    }
}

fn wait(word: &AtomicU32) {
    while word.swap(0, Acquire) == 0 {
        sys::futex_wait(word, 0);
    }
}

fn end_wait(word: &AtomicU32) {
    word.store(1, Release);
    sys::futex_wake(word, 1);
}

impl Process {
    /// A request is answered, whatever it is.
    pub(super) fn answer(&self) {
        self.purge.exclusively(|| {
            if let Some(request) = self.purge.mail.take() {
                TAKEN.with_borrow_mut(|all| all.push(request));
                self.purge.mail.answer(Outcome::Done);
                self.heap.say();
            }
        });
    }

    /// What purging gives memory back from.
    pub(super) fn memory(&self) -> Memory<'_> {
        Memory { heap: &self.heap }
    }
}

/// There are no named caches.
#[derive(Clone, Copy)]
pub(super) struct Memory<'process> {
    pub(super) heap: &'process Heap,
}

impl Memory<'_> {
    /// The bytes that went from a thread's cache, and those that are left.
    pub(super) fn visit(
        self,
        thread: &'static ThreadCache,
        haste: Haste,
        budget: &mut Budget,
    ) -> (usize, usize) {
        (thread.visit(haste, budget), thread.parked_bytes())
    }

    pub(super) fn decay_named(self, _elapsed: Elapsed, _is_in_call: bool) {}
}

extern "C" fn run(_nothing: *mut c_void) -> *mut c_void {
    if let Some(process) = HERE.get() {
        let answer = || process.answer();
        process
            .thread
            .run(&process.purge, process.memory(), &answer);
    }
    core::ptr::null_mut()
}

/// Threads that have a cache; how many is all that matters.
pub(super) struct Caches;

/// All thread caches.
pub(super) static CACHES: Caches = Caches;

impl Caches {
    /// None are left.
    pub(super) fn cool_all(&self) -> bool {
        false
    }

    /// Number of caches that a thread owns.
    pub(super) fn count(&self) -> usize {
        HERE.get().map_or(0, |process| process.caches.load(Relaxed))
    }

    pub(super) fn next(&self, _last: Option<&'static ThreadCache>) -> Option<&'static ThreadCache> {
        None
    }

    /// All threads give notice of their ends.
    pub(super) fn reap(&self, _most: usize) {}

    /// As above.
    pub(super) fn has_lifelines(&self) -> bool {
        false
    }

    pub(super) fn adopt_orphans(&self, _most: usize) {}

    /// All threads of the program have ended.
    pub(super) fn end(&self) {
        if let Some(process) = HERE.get() {
            process.caches.store(0, Relaxed);
            sys::let_main_thread_go(true);
        }
    }
}

pub(super) fn leave_caches() {
    STARTED.set(STARTED.get() + 1);
}
