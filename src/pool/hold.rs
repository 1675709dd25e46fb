//! The right to change a pool: its lock or, of a pool that one thread at a time uses, its gate.
//!
//! # Invariant
//!
//! Who holds a pool by its gate is one thread, whose signal handlers see that the gate is shut before anything of the pool is changed.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    Ordering::{Relaxed, SeqCst},
    compiler_fence,
};

use super::handle::PoolHandle;
use super::structure::{IDLE, Pool};
use crate::sync::Guard;

/// Why a pool stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stays {
    /// It is none any more.
    Gone,
    /// A signal handler must not wait.
    Busy,
}

/// The right to change a pool.
#[derive(Debug)]
#[must_use = "dropping it gives the right back"]
pub(super) struct Held<'pool> {
    pool: &'pool Pool,
    hold: Hold<'pool>,
}

#[derive(Debug)]
enum Hold<'pool> {
    /// By its lock.
    Lock { _guard: Guard<'pool, ()> },
    /// By its gate, which was this.
    Gate(usize),
}

impl Drop for Held<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Hold::Gate(before) = self.hold {
            self.pool.open(before);
        }
    }
}

// ORDERING: relaxed throughout: what one thread writes, and a handler of its own reads after the fence.

impl Pool {
    /// The right to change it; `None` in a signal handler that has interrupted its thread there, and if another thread is using a pool for
    /// one thread.
    pub(super) fn hold(&self) -> Option<Held<'_>> {
        let hold = match self.is_single() {
            true => {
                let before = self.gate.load(Relaxed);
                if before == 0 {
                    return None;
                }
                self.shut();
                Hold::Gate(before)
            }
            false => Hold::Lock {
                _guard: match self.lock.try_lock() {
                    Some(guard) => guard,
                    None => self.wait()?,
                },
            },
        };
        Some(Held { pool: self, hold })
    }

    /// The same as long as the pool is the one with that handle, which another thread may have ended meanwhile.
    pub(super) fn hold_as(&self, handle: PoolHandle) -> Result<Held<'_>, Stays> {
        let is_it = || !handle.is_null() && self.handle() == handle;
        // Not of another pool, which may be for another thread, but for the moment between the two questions.
        let held = is_it().then(|| self.hold()).ok_or(Stays::Gone)?;
        let held = held.ok_or(Stays::Busy)?;
        is_it().then_some(held).ok_or(Stays::Gone)
    }

    /// Runs what neither fails nor takes a lock or calls anything, for the one thread of the pool with a handle, whose blocks are not cleared; `None`
    /// if it is no such pool, or must not be changed now.
    #[inline(always)]
    pub(super) fn run_single<T>(&self, handle: PoolHandle, run: impl FnOnce() -> T) -> Option<T> {
        if self.gate.load(Relaxed) != handle.addr() {
            return None;
        }
        self.shut();
        let answer = run();
        self.open(handle.addr());
        Some(answer)
    }

    #[inline(always)]
    fn shut(&self) {
        self.gate.store(0, Relaxed);
        // A handler of the thread's sees that before anything else is written, and
        compiler_fence(SeqCst);
    }

    #[inline(always)]
    fn open(&self, before: usize) {
        // all that was written meanwhile.
        compiler_fence(SeqCst);
        self.gate.store(before, Relaxed);
    }

    /// Has it be no pool for the program any more. The caller holds it.
    pub(super) fn end(&self, held: &mut Held<'_>) {
        if let Hold::Gate(before) = &mut held.hold {
            *before = IDLE;
        }
        self.handle.store(0, Relaxed);
    }

    /// The right to change it, of a pool for several threads that none is using at this moment.
    pub(super) fn hold_if_idle(&self) -> Option<Held<'_>> {
        let guard = (!self.is_single())
            .then(|| self.lock.try_lock())
            .flatten()?;
        Some(Held {
            pool: self,
            hold: Hold::Lock { _guard: guard },
        })
    }

    /// The right to change it where nothing is cleared, as [`Self::hold_as`].
    pub(super) fn hold_plain(&self, handle: PoolHandle) -> Option<Held<'_>> {
        match self.clears() {
            true => None,
            false => self.hold_as(handle).ok(),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) -> Option<Guard<'_, ()>> {
        match self.lock.is_own() {
            true => None,
            false => Some(self.lock.lock()),
        }
    }

    /// Holds it across a fork. A handler that forks leaves what it has interrupted in its own thread as it is.
    pub(super) fn hold_for_fork(&self) {
        let is_in_use = self.state.load(Relaxed) != 0 && !self.is_single();
        if is_in_use && !self.lock.is_own() {
            self.lock.hold_for_fork();
        }
    }
}
