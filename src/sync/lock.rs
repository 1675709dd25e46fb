//! A lock in one futex word that owns what it protects.
//!
//! # Invariant
//!
//! `word` is FREE, HELD, CONTENDED (held, and somebody may sleep) or FORK. Only the holder frees
//! it. FORK is held by a thread that is forking: that thread, whose other fork handlers may
//! allocate, comes in and leaves as it likes, and everybody else waits.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crossbeam_utils::Backoff;

use crate::sys;

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;
const FORK: u32 = 3;

/// Milliseconds after which a lock counts as held for good.
const PATIENCE_MS: u32 = 50;

/// The thread that is forking, 0 for none; only one can at a time.
static FORKING: AtomicUsize = AtomicUsize::new(0);

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
        Self {
            word: AtomicU32::new(FREE),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits for the right to use the value.
    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.acquire();
        Guard { lock: self }
    }

    /// Whether nobody holds the lock now or soon. What a signal handler has interrupted in its own thread stays held.
    pub(crate) fn is_free(&self) -> bool {
        // ORDERING: relaxed, a look.
        self.word.load(Ordering::Relaxed) == FREE || is_free_soon(&self.word)
    }

    /// Takes the lock, to hold it across a fork; the forking thread itself is let in meanwhile.
    pub(crate) fn hold_for_fork(&self) {
        self.acquire();
        // ORDERING: relaxed, the word below says that it is there.
        FORKING.store(sys::thread_id(), Ordering::Relaxed);
        // ORDERING: release, pairs with the acquire in `wait`.
        self.word.store(FORK, Ordering::Release);
    }

    /// Frees the lock that `hold_for_fork` took, in parent or child.
    pub(crate) fn end_fork(&self) {
        // ORDERING: release, so that the next holder sees what this one wrote.
        self.word.store(FREE, Ordering::Release);
        // In the child nobody sleeps; in the parent all who do must look again.
        sys::futex_wake(&self.word, usize::MAX >> 33);
    }

    #[inline]
    fn acquire(&self) {
        // ORDERING: acquire, pairs with the release in `release`.
        if self
            .word
            .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            self.wait();
        }
    }

    #[inline]
    fn release(&self) {
        // ORDERING: release, so that the next holder sees what this one wrote.
        let freed = self
            .word
            .compare_exchange(HELD, FREE, Ordering::Release, Ordering::Relaxed);
        if freed.is_err() {
            self.release_slow();
        }
    }

    #[cold]
    fn release_slow(&self) {
        // ORDERING: release, as above. FORK stays: its holder came in twice and leaves once.
        let freed =
            self.word
                .compare_exchange(CONTENDED, FREE, Ordering::Release, Ordering::Relaxed);
        if freed.is_ok() {
            sys::futex_wake(&self.word, 1);
        }
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
        loop {
            // ORDERING: acquire, pairs with the release in `hold_for_fork`: a thread that forked before must
            // not find its own number when another one forks.
            let seen = self.word.load(Ordering::Acquire);
            // ORDERING: relaxed, as new as the word.
            if seen == FORK && FORKING.load(Ordering::Relaxed) == sys::thread_id() {
                return;
            }
            // CONTENDED even if nobody else waits costs one wake too many.
            let next = if seen == FORK { FORK } else { CONTENDED };
            // ORDERING: acquire, pairs with the release in `release`.
            let exchange =
                self.word
                    .compare_exchange(seen, next, Ordering::Acquire, Ordering::Relaxed);
            match exchange {
                Ok(FREE) => return,
                Ok(_) => sys::futex_wait(&self.word, next),
                Err(_) => (),
            }
        }
    }
}

#[cold]
#[inline(never)]
fn is_free_soon(word: &AtomicU32) -> bool {
    (0..PATIENCE_MS).any(|_| {
        sys::sleep(1);
        // ORDERING: relaxed, a look.
        word.load(Ordering::Relaxed) == FREE
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

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release();
    }
}

/// Only one thread forks at a time; tests that play it take this.
#[cfg(test)]
pub(crate) mod one_fork {
    extern crate std;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    static ONE: Mutex<()> = Mutex::new(());

    /// The right to play a fork, until it is dropped.
    pub(crate) fn take() -> MutexGuard<'static, ()> {
        ONE.lock().unwrap_or_else(PoisonError::into_inner)
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
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        assert_eq!(*SUM.lock(), 200_000);
    }

    #[test]
    fn a_lock_held_for_a_fork_lets_its_own_thread_in() {
        static LOCK: Lock<u32> = Lock::new(1);
        let _one = one_fork::take();
        LOCK.hold_for_fork();
        *LOCK.lock() += 1;
        let other = thread::spawn(|| *LOCK.lock() += 1);
        *LOCK.lock() *= 10;
        LOCK.end_fork();
        other.join().unwrap();
        assert_eq!(*LOCK.lock(), 21);
    }
}
