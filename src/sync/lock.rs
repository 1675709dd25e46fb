//! A lock in one futex word that owns what it protects.
//!
//! # Invariant
//!
//! `word` is FREE; HELD or CONTENDED (held, and somebody may sleep) with a mark of the holder's above it; or the word of a
//! fork (`fork.rs`). Only the holder frees it. While the fork lasts, the forking thread, whose other fork handlers may allocate, comes in and leaves as it
//! likes, and everybody else waits; after it the lock is free.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

use crossbeam_utils::Backoff;

use super::counted::Hold;
use super::fork;
use crate::sys;

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;
/// The bits that these are in.
const STATE: u32 = 3;

/// Looks at a held lock before a thread sleeps, each after twice as many pauses as the one before.
const SPINS: u32 = 6;
/// Milliseconds after which a lock counts as held for good.
const PATIENCE_MS: u32 = 500;

/// A value that one thread at a time may use.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    word: AtomicU32,
    pub(super) value: UnsafeCell<T>,
}

// SAFETY: the value moves between threads, one at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

/// The right to use a locked value; dropping it gives the right back.
#[derive(Debug)]
#[must_use = "a dropped guard has unlocked"]
pub(crate) struct Guard<'lock, T> {
    lock: &'lock Lock<T>,
    hold: Hold,
}

impl<T> Lock<T> {
    /// A free lock.
    pub(crate) const fn new(value: T) -> Self {
        Self {
            word: AtomicU32::new(FREE),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits for the right to use the value.
    #[inline]
    #[cfg_attr(counted, track_caller)]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.acquire();
        let hold = Hold::begin();
        Guard { lock: self, hold }
    }

    /// The right to use the value, but `None` where somebody has it.
    #[cfg_attr(counted, track_caller)]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        let hold = self.try_acquire().then(Hold::begin)?;
        Some(Guard { lock: self, hold })
    }

    /// The right to use the value, but `None` where the lock does not become free within some microseconds: for what a signal
    /// handler may call.
    #[cfg_attr(counted, track_caller)]
    pub(crate) fn lock_soon(&self) -> Option<Guard<'_, T>> {
        let hold = self.spin().then(Hold::begin)?;
        Some(Guard { lock: self, hold })
    }

    /// Whether nobody holds the lock now or soon. What a signal handler has interrupted in its own thread stays held.
    pub(crate) fn is_free(&self) -> bool {
        // ORDERING: relaxed, a look.
        is_free(self.word.load(Ordering::Relaxed)) || is_free_soon(&self.word)
    }

    /// Whether the calling thread holds the lock: then a signal handler asks.
    pub(crate) fn is_own(&self) -> bool {
        // ORDERING: relaxed; a thread looks for its own mark, which only itself stores.
        let word = self.word.load(Ordering::Relaxed);
        word != FREE && !fork::is_fork(word) && word & !STATE == mark()
    }

    /// Takes the lock until the calling thread's fork is over; the thread itself is let in meanwhile. A lock that the
    /// thread holds already, as it was interrupted, stays as it is.
    pub(crate) fn hold_for_fork(&self) {
        let gate = sys::fork_gate();
        // ORDERING: relaxed, the calling thread has stored it.
        let is_interrupted = gate.is_interrupted.load(Ordering::Relaxed);
        if is_interrupted && !self.acquire_soon() {
            return;
        }
        if !is_interrupted {
            self.acquire();
        }
        // ORDERING: relaxed, the word below says that it is there. Only now is no other thread forking.
        gate.forker.store(sys::thread_id(), Ordering::Relaxed);
        // ORDERING: release, pairs with the acquire in `wait`.
        let before = self.word.swap(fork::held_word(), Ordering::Release);
        if before & STATE == CONTENDED {
            // From now on they wait for the end of the fork.
            sys::futex_wake(&self.word, usize::MAX >> 33);
        }
    }

    /// Takes the lock, unless the calling thread holds it already, or another one that may wait for a lock of the calling
    /// thread's.
    #[cold]
    fn acquire_soon(&self) -> bool {
        loop {
            // ORDERING: acquire, pairs with the release in `release`.
            let seen = self.word.load(Ordering::Acquire);
            if is_free(seen) {
                // ORDERING: as above. Others may sleep.
                let taken = self.word.compare_exchange(
                    seen,
                    mark() | CONTENDED,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                );
                if taken.is_ok() {
                    return true;
                }
            } else if seen & !STATE == mark() || !is_free_soon(&self.word) {
                return false;
            }
        }
    }

    #[inline]
    fn acquire(&self) {
        if !self.try_acquire() {
            self.wait();
        }
    }

    #[inline]
    fn try_acquire(&self) -> bool {
        let held = mark() | HELD;
        // ORDERING: acquire, pairs with the release in `release`.
        self.word
            .compare_exchange(FREE, held, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    #[inline]
    fn release(&self) {
        // ORDERING: release, so that the next holder sees what this one wrote.
        let freed =
            self.word
                .compare_exchange(mark() | HELD, FREE, Ordering::Release, Ordering::Relaxed);
        if freed.is_err() {
            self.release_slow();
        }
    }

    #[cold]
    fn release_slow(&self) {
        // ORDERING: release, as above. The word of a fork stays: its holder came in twice.
        let freed = self.word.compare_exchange(
            mark() | CONTENDED,
            FREE,
            Ordering::Release,
            Ordering::Relaxed,
        );
        if freed.is_ok() {
            sys::futex_wake(&self.word, 1);
        }
    }

    /// Takes the lock if it becomes free soon. A holder needs a few hundred instructions; sleeping costs more than that. If
    /// it was interrupted, perhaps by the calling thread on the same processor, no length of spinning helps: these are 63
    /// pauses, a microsecond or two.
    fn spin(&self) -> bool {
        let backoff = Backoff::new();
        let mut spins = 0;
        while spins < SPINS && !backoff.is_completed() {
            // ORDERING: relaxed look; the exchange below acquires.
            let seen = self.word.load(Ordering::Relaxed);
            if is_free(seen)
                // ORDERING: acquire, pairs with the release in `release`.
                && self
                    .word
                    .compare_exchange(seen, mark() | HELD, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return true;
            }
            backoff.spin();
            spins += 1;
        }
        false
    }

    #[cold]
    fn wait(&self) {
        if fork::is_held_for_own(&self.word) {
            return;
        }
        if self.spin() {
            return;
        }
        loop {
            // ORDERING: acquire, pairs with the release in `release`.
            let seen = self.word.load(Ordering::Acquire);
            if fork::is_fork(seen) && !is_free(seen) {
                fork::wait_for_end(&self.word, seen);
                continue;
            }
            // CONTENDED even if nobody else waits costs one wake too many.
            let is_free = is_free(seen);
            let holder = if is_free { mark() } else { seen & !STATE };
            let next = holder | CONTENDED;
            // ORDERING: acquire, pairs with the release in `release`.
            let exchange =
                self.word
                    .compare_exchange(seen, next, Ordering::Acquire, Ordering::Relaxed);
            if exchange.is_ok() {
                if is_free {
                    return;
                }
                sys::futex_wait(&self.word, next);
            }
        }
    }
}

/// What the words of locks that the calling thread holds have above their state. Another thread has the same only if their
/// blocks of thread-local storage lie a multiple of 64 GiB apart.
#[inline]
fn mark() -> u32 {
    ((sys::thread_id() >> sys::THREAD_ID_SHIFT) as u32) << STATE.count_ones()
}

/// Whether a word is that of a lock which nobody holds.
fn is_free(word: u32) -> bool {
    word == FREE || fork::is_fork(word) && fork::is_over(word)
}

#[cold]
#[inline(never)]
fn is_free_soon(word: &AtomicU32) -> bool {
    (0..PATIENCE_MS).any(|_| {
        sys::sleep(1);
        // ORDERING: relaxed, a look.
        is_free(word.load(Ordering::Relaxed))
    })
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this guard is the one right to use the value.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the one right to use the value.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Guard<'_, T> {
    /// Gives the right back. All of it is inlined, for callers that must not call code elsewhere.
    #[inline(always)]
    pub(crate) fn end(self) {
        self.hold.end();
        let lock = self.lock;
        core::mem::forget(self);
        lock.release();
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.hold.end();
        self.lock.release();
    }
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;
