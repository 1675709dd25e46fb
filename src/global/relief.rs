//! Room for an allocation that would fail: the program's direct shrinkers make it.
//!
//! # Invariant
//!
//! A thread runs them where it holds no lock, has not interrupted itself, and does not fork; and never one within another.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::process::{PROCESS, is_interrupted};
use super::shrinkers::{IS_SHORT, SHIFTS, SHRINKERS, run};
use super::threads::{inside, own};
use crate::kmem::KmemError;
use crate::report;
use crate::shrink::{SHRINK_DIRECT, Shrinker, Stays};
use crate::sync;

/// Adds a shrinker; see `slub_register_shrinker` in slubmalloc.h. Its handle is not 0.
///
/// # Errors
///
/// [`KmemError::Invalid`] for unknown flags, [`KmemError::NoMemory`] where there are as many as there can be.
pub fn register_shrinker(shrinker: Shrinker) -> Result<usize, KmemError> {
    if shrinker.flags & !SHRINK_DIRECT != 0 {
        return Err(KmemError::Invalid);
    }
    if is_interrupted() {
        return Err(KmemError::NoMemory);
    }
    inside(|| SHRINKERS.add(shrinker)).ok_or(KmemError::NoMemory)
}

/// Removes a shrinker and waits until no thread runs it.
///
/// # Errors
///
/// [`KmemError::Invalid`] for a handle of none, [`KmemError::InUse`] if the caller is that shrinker.
pub fn unregister_shrinker(handle: usize) -> Result<(), KmemError> {
    if is_interrupted() {
        return Err(KmemError::InUse);
    }
    let index = inside(|| SHRINKERS.retire(handle)).map_err(|why| match why {
        Stays::Unknown => KmemError::Invalid,
        Stays::Runs => KmemError::InUse,
    })?;
    while let Some(seen) = inside(|| SHRINKERS.turn_of(index)) {
        SHRINKERS.wait(seen);
    }
    inside(|| SHRINKERS.forget(index));
    Ok(())
}

/// Has direct shrinkers make room for `bytes` that were not available; whether to try again. `passes` counts, from 0 on.
#[cold]
#[inline(never)]
pub(super) fn relieve(bytes: usize, passes: &mut usize) -> bool {
    let Some(shift) = SHIFTS.get(*passes).filter(|_| SHRINKERS.has_some()) else {
        return false;
    };
    *passes += 1;
    let Some(process) = PROCESS.get() else {
        return false;
    };
    // A signal handler, a thread that ends and one that forks do without.
    if own().is_none() || is_interrupted() || report::is_ending() || sync::is_forking() {
        return false;
    }
    if !process.heap.can_ever_take(bytes) {
        return false;
    }
    IS_SHORT.store(true, Relaxed);
    process.thread.wake_to_shrink();
    // Also where nothing went: another thread may have run the same one at that moment.
    run(*shift, true)
}
