//! A lock in one futex word that owns what it protects.
//!
//! # Invariant
//!
//! `word` is FREE, HELD, or CONTENDED (held, and somebody may sleep). Only the holder frees it.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

use crossbeam_utils::Backoff;

use crate::sys;

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// A value that one thread at a time may use.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    word: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value moves between threads, one at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

/// The right to use a locked value; dropping it gives the right back.
#[derive(Debug)]
#[must_use = "a dropped guard has unlocked"]
pub(crate) struct Guard<'lock, T> {
    lock: &'lock Lock<T>,
}

impl<T> Lock<T> {
    /// A free lock.
    pub(crate) const fn new(value: T) -> Self {
        Self { word: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    /// Waits for the right to use the value.
    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.acquire();
        Guard { lock: self }
    }

    /// The right to use the value, if nobody has it.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        // ORDERING: acquire, pairs with the release in `release`.
        let taken =
            self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok();
        taken.then_some(Guard { lock: self })
    }

    /// Takes the lock without a guard, to hold it across a fork.
    #[inline]
    pub(crate) fn acquire(&self) {
        // ORDERING: acquire, pairs with the release in `release`.
        if self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.wait();
        }
    }

    /// A guard for the lock that `acquire` took.
    pub(crate) fn adopt(&self) -> Guard<'_, T> {
        // ORDERING: relaxed, the caller itself wrote the word.
        debug_assert!(self.word.load(Ordering::Relaxed) != FREE);
        Guard { lock: self }
    }

    /// Frees the lock that `acquire` took.
    #[inline]
    pub(crate) fn release(&self) {
        // ORDERING: release, so that the next holder sees what this one wrote.
        if self.word.swap(FREE, Ordering::Release) == CONTENDED {
            sys::futex_wake(&self.word, 1);
        }
    }

    /// Frees the lock in a forked child, whose waiters stayed in the parent.
    pub(crate) fn rearm(&self) {
        // ORDERING: relaxed, the child has one thread.
        self.word.store(FREE, Ordering::Relaxed);
    }

    #[cold]
    fn wait(&self) {
        let backoff = Backoff::new();
        // A holder needs a few hundred instructions; sleeping costs more than that.
        while !backoff.is_completed() {
            // ORDERING: relaxed look; the exchange below acquires.
            if self.word.load(Ordering::Relaxed) == FREE
                // ORDERING: acquire, pairs with the release in `release`.
                && self
                    .word
                    .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return;
            }
            backoff.snooze();
        }
        // ORDERING: acquire, as above; CONTENDED even if nobody else waits costs one wake too many.
        while self.word.swap(CONTENDED, Ordering::Acquire) != FREE {
            sys::futex_wait(&self.word, CONTENDED);
        }
    }
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

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{thread, vec::Vec};

    #[test]
    fn no_increment_is_lost_between_four_threads() {
        static SUM: Lock<u64> = Lock::new(0);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(|| {
                    for _ in 0..50_000 {
                        *SUM.lock() += 1;
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*SUM.lock(), 200_000);
    }

    #[test]
    fn a_held_lock_refuses_and_a_rearmed_one_does_not() {
        let lock = Lock::new(1);
        lock.acquire();
        assert!(lock.try_lock().is_none());
        lock.rearm();
        assert_eq!(*lock.try_lock().unwrap(), 1);
    }
}
