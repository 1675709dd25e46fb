//! The fork in progress, at which threads wait that want a lock held across it.
//!
//! # Invariant
//!
//! Only the forking thread writes `ended` and `forker`; one thread forks at a time. In the child nobody waits.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};

/// What all locks know about forks.
#[derive(Debug)]
pub(crate) struct ForkGate {
    /// Number of forks that have ended, modulo 2^32. A futex word, for those who wait for the end of one.
    pub(crate) ended: AtomicU32,
    /// Threads that wait.
    pub(crate) waiters: AtomicUsize,
    /// The thread that forks, 0 for none.
    pub(crate) forker: AtomicUsize,
    /// Whether that thread may have been interrupted by a signal while it held locks.
    pub(crate) is_interrupted: AtomicBool,
    /// The thread that holds libc's lock on its list of streams meanwhile, 0 for none. Only the holder writes it.
    pub(crate) streams: AtomicUsize,
}

impl ForkGate {
    /// No fork.
    pub(crate) const fn new() -> Self {
        Self {
            ended: AtomicU32::new(0),
            waiters: AtomicUsize::new(0),
            forker: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            is_interrupted: AtomicBool::new(false),
        }
    }
}
