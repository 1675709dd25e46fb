//! Whether the process is the young child of a fork: it has one thread, and there was no purge since.
//!
//! # Invariant
//!
//! The child of a process with one thread is told by its thread's number, so that a fork needs to write nothing.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::threads::CACHES;
use crate::sys;

/// No thread's number for libc: there were several threads, and there was no round yet.
const SEVERAL: u32 = 0;
const NOBODY: u32 = u32::MAX;
/// Set beside the number of a child that has put a round off. The kernel's numbers of threads are below 2^22.
const PUT_OFF: u32 = 1 << 31;

/// What libc calls the only thread of the process, as of the last round.
#[derive(Debug)]
pub(super) struct Youth(AtomicU32);

// ORDERING: relaxed throughout this file; it matters only at exit.

impl Youth {
    /// The calling thread is the only one, as far as anybody knows.
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(sys::libc_thread_number()))
    }

    /// In the child of a fork of several threads.
    pub(super) fn begin_child(&self) {
        self.0.store(NOBODY, Relaxed);
    }

    /// A round begins, on a thread of the program's or not.
    pub(super) fn end(&self, is_own: bool) {
        let is_only = is_own && CACHES.count() <= 1;
        let only = if is_only {
            sys::libc_thread_number()
        } else {
            SEVERAL
        };
        self.0.store(only, Relaxed);
    }

    /// Whether this is such a child, and has not put off the round that was due in its parent. Now it has.
    pub(super) fn puts_off(&self) -> bool {
        let put_off = sys::libc_thread_number() | PUT_OFF;
        self.is_on() && self.0.swap(put_off, Relaxed) != put_off
    }

    /// Whether the process is such a child.
    pub(super) fn is_on(&self) -> bool {
        let only = self.0.load(Relaxed);
        CACHES.count() <= 1 && only != SEVERAL && only != sys::libc_thread_number()
    }
}
