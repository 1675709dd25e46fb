//! A value that is made once, by the first thread that needs it.
//!
//! # Invariant
//!
//! `state` is MADE only after the value is written; it never changes again. While the value is being made it holds the
//! maker's number in the kernel, above the lowest bits.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::sys;

const EMPTY: u32 = 0;
const MAKING: u32 = 1;
pub(super) const MADE: u32 = 2;
/// How many bits the three are.
const STATE_BITS: u32 = 2;

/// A value that does not exist until it is asked for.
#[derive(Debug)]
pub(crate) struct Once<T> {
    pub(super) state: AtomicU32,
    /// The thread that makes the value. It is the same in both processes after that thread has forked.
    maker: AtomicUsize,
    pub(super) value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value is written by one thread before any other can see it.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Once<T> {
    /// No value yet.
    pub(crate) const fn new() -> Self {
        Self {
            state: AtomicU32::new(EMPTY),
            maker: AtomicUsize::new(0),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The value, if it was made.
    pub(crate) fn get(&self) -> Option<&T> {
        // ORDERING: acquire, pairs with the release in `make`.
        if self.state.load(Ordering::Acquire) != MADE {
            return None;
        }
        // SAFETY: nobody writes any more.
        let value = unsafe { &*self.value.get() };
        // SAFETY: MADE means written.
        Some(unsafe { value.assume_init_ref() })
    }

    /// The value, made by `make` if it does not exist. `None` if `make` fails, which a later caller may try again, and
    /// for the maker itself, which a signal handler may have interrupted. Other threads wait for the maker.
    #[inline]
    pub(crate) fn get_or_try_make(&self, make: impl FnOnce() -> Option<T>) -> Option<&T> {
        match self.get() {
            Some(value) => Some(value),
            None => self.make(make),
        }
    }

    /// Whether the calling thread is making the value.
    pub(crate) fn is_maker(&self) -> bool {
        // ORDERING: relaxed; a thread looks for its own number, which only itself stores.
        self.maker.load(Ordering::Relaxed) == sys::thread_id()
    }

    /// Apart from the way that everyone takes, which shall not pay for the maker's stack.
    #[cold]
    #[inline(never)]
    fn make(&self, make: impl FnOnce() -> Option<T>) -> Option<&T> {
        if self.is_maker() || !self.become_maker() {
            return self.get();
        }
        // ORDERING: relaxed, for this thread.
        self.maker.store(sys::thread_id(), Ordering::Relaxed);
        let made = make();
        let state = if made.is_some() { MADE } else { EMPTY };
        if let Some(value) = made {
            // SAFETY: MAKING gives this thread the sole right to write.
            let place = unsafe { &mut *self.value.get() };
            place.write(value);
        }
        // ORDERING: as above.
        self.maker.store(0, Ordering::Relaxed);
        // ORDERING: release, so that who sees MADE sees the value.
        self.state.store(state, Ordering::Release);
        sys::futex_wake(&self.state, usize::MAX >> 33);
        self.get()
    }

    /// Waits until there is a value, or until nobody makes one: then the calling thread does, and this returns true.
    fn become_maker(&self) -> bool {
        let own = sys::kernel_thread_id() << STATE_BITS | MAKING;
        let mut abandoned = EMPTY;
        loop {
            // ORDERING: acquire, to see what a failed maker left behind.
            let seen = self.state.load(Ordering::Acquire);
            if seen == MADE {
                return false;
            }
            if seen == EMPTY || seen == abandoned {
                // ORDERING: as above.
                let start =
                    self.state
                        .compare_exchange(seen, own, Ordering::Acquire, Ordering::Relaxed);
                if start.is_ok() {
                    return true;
                }
                continue;
            }
            sys::futex_wait_briefly(&self.state, seen);
            // A maker that did not survive a fork makes nothing any more. What it had reserved stays so.
            if !sys::has_thread(seen >> STATE_BITS) {
                abandoned = seen;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_attempt_may_be_repeated_and_a_success_stays() {
        let once = Once::new();
        assert_eq!(once.get(), None);
        assert_eq!(once.get_or_try_make(|| None::<u32>), None);
        assert_eq!(once.get_or_try_make(|| Some(3)), Some(&3));
        assert_eq!(once.get_or_try_make(|| Some(4)), Some(&3));
    }

    #[test]
    fn the_maker_itself_does_not_wait_for_the_value() {
        let once = Once::new();
        assert!(!once.is_maker());
        let made = once.get_or_try_make(|| {
            assert!(once.is_maker());
            assert_eq!(once.get_or_try_make(|| Some(1)), None);
            Some(2)
        });
        assert_eq!(made, Some(&2));
        assert!(!once.is_maker());
    }

    #[test]
    #[cfg(not(any(simulated, miri)))]
    fn the_child_of_a_fork_does_not_wait_for_a_maker_that_stayed_behind() {
        extern crate std;
        use std::sync::mpsc;
        use std::thread;

        let once = Once::new();
        let (begun, begins) = mpsc::channel();
        let (end, ends) = mpsc::channel();
        thread::scope(|scope| {
            let once = &once;
            scope.spawn(move || {
                once.get_or_try_make(|| {
                    begun.send(()).unwrap();
                    ends.recv().ok()
                });
            });
            begins.recv().unwrap();
            let code = sys::forked::code_of_child(|| {
                let made = once.get_or_try_make(|| Some(3));
                i32::from(made != Some(&3))
            });
            end.send(2).unwrap();
            assert_eq!(code, 0);
        });
        assert_eq!(once.get(), Some(&2));
    }
}
