//! Who serves the calling thread when the fast paths give up, which is decided once in each call.
//!
//! # Invariant
//!
//! A thread that is aborting, or may have been interrupted where it holds locks, is served by none of these.
#![forbid(unsafe_code)]

use super::birth::alive;
use super::process::{Process, process};
use crate::cache::{Binding, ThreadCache};

/// Who serves a thread.
pub(super) enum Service {
    /// A debug mode.
    Debugged(&'static Process),
    /// Its cache.
    Cached(&'static ThreadCache, Binding),
    /// The heap itself: the thread ends, or there was no memory for a cache.
    Uncached(&'static Process),
    /// Nobody: there is no heap.
    Nobody,
}

/// Who serves the calling thread.
#[inline(always)]
pub(super) fn service() -> Service {
    let Some(process) = process() else {
        return Service::Nobody;
    };
    if process.modes.is_on() {
        return Service::Debugged(process);
    }
    match alive() {
        Some((cache, binding)) => Service::Cached(cache, binding),
        None => Service::Uncached(process),
    }
}
