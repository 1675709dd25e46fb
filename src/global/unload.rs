//! The end of the object that this code is part of. A plug-in that carries it may be closed with dlclose(3), and leaves
//! nothing that would call it: no key, no thread, no signal handler, and as little memory as may be. Fork
//! handlers go with their object by themselves.
//!
//! # Invariant
//!
//! What cannot be closed does nothing here. When the process ends, no memory is given back and nobody is waited for longer
//! than a moment: other threads and the destructors of other objects go on.
//!
//! # How the two are told apart
//!
//! What the loader brought along with the program cannot be closed. Of what was opened later, libc calls the exit handlers
//! before all destructors when the process ends, and nearly last of them when the object is closed: the object's start
//! files, which do that, come first in the list of its destructors, and that is gone through backwards.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use super::process::PROCESS;
use super::threads::{CACHES, EXITS};
use crate::report;
use crate::sys;

/// Milliseconds to wait for the purge thread when the process ends, and when the object goes.
const PATIENCE_MS: u64 = 20;
const LONG_PATIENCE_MS: u64 = 10_000;
/// Milliseconds in which a thread that is ending reaches the hook or leaves it.
const GRACE_MS: u64 = 2;

/// What is known of the end.
#[derive(Debug)]
pub(super) struct Ending {
    /// Whether the object may be closed, when the process ends as well: by an exit handler of the program's.
    may_be_closed: AtomicBool,
    /// Whether the process ends.
    is_exit: AtomicBool,
    /// Whether the object is closed.
    is_closed: AtomicBool,
    /// Threads in their exit hook.
    leaving: AtomicUsize,
}

/// The end of the object that this is part of.
pub(super) static ENDING: Ending = Ending::new();

// ORDERING: relaxed throughout this file; who closes an object has seen to it that nobody is in it.

impl Ending {
    /// Nothing ends.
    pub(super) const fn new() -> Self {
        Self {
            may_be_closed: AtomicBool::new(false),
            is_exit: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            leaving: AtomicUsize::new(0),
        }
    }

    /// Begins to listen; called when the object is loaded.
    pub(super) fn begin(&self, note_exit: extern "C" fn()) {
        let may_be_closed = sys::has_begun() && sys::on_exit(note_exit);
        self.may_be_closed.store(may_be_closed, Relaxed);
    }

    /// Records that the process ends.
    pub(super) fn note_exit(&self) {
        self.is_exit.store(true, Relaxed);
    }

    /// Runs a thread's exit hook.
    pub(super) fn during_exit(&self, hook: impl FnOnce()) {
        self.leaving.fetch_add(1, Relaxed);
        hook();
        self.leaving.fetch_sub(1, Relaxed);
    }

    /// Records that the destructors of the object are called.
    pub(super) fn begin_end(&self) {
        if !self.may_be_closed.load(Relaxed) {
            // Not written to: the page would be copied at the end of each child of a fork.
            return;
        }
        let is_exit = self.is_exit.load(Relaxed);
        self.is_closed.store(!is_exit, Relaxed);
    }

    /// What is done after all destructors of the object.
    pub(super) fn end(&self) {
        // A child of vfork(2) should not call exit(3): all this is its parent's.
        if !self.may_be_closed.load(Relaxed) || sys::is_vfork_child() {
            return;
        }
        EXITS.close();
        let is_closed = self.is_closed.load(Relaxed);
        let patience = if is_closed {
            LONG_PATIENCE_MS
        } else {
            PATIENCE_MS
        };
        let Some(process) = PROCESS.get() else {
            return;
        };
        let is_alone = process.thread.end(patience);
        if !is_closed || !is_alone {
            return;
        }
        sys::off_fault();
        report::close_descriptors();
        // A thread that ends at this moment may have read the key before it was given back.
        if CACHES.count() > 1 {
            sys::sleep(GRACE_MS);
        }
        while self.leaving.load(Relaxed) > 0 {
            sys::sleep(GRACE_MS);
        }
        // The program's stack may be small. Without memory for another one, that of the heap stays.
        let _ = sys::on_own_stack(|| {
            CACHES.for_each(|cache| cache.drain());
            process.heap.abandon(CACHES.has_lifelines());
            process.thread.bell.take_down();
        });
    }
}
