//! A value that is made once, by the first who needs it.
//!
//! # Invariant
//!
//! `state` is MADE only after the value is written; it never changes again.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::sys;

const EMPTY: u32 = 0;
const MAKING: u32 = 1;
const MADE: u32 = 2;

/// A value that does not exist until it is asked for.
#[derive(Debug)]
pub(crate) struct Once<T> {
    state: AtomicU32,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value is written by one thread before any other can see it.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Once<T> {
    /// No value yet.
    pub(crate) const fn new() -> Self {
        Self {
            state: AtomicU32::new(EMPTY),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The value, if it was made.
    pub(crate) fn get(&self) -> Option<&T> {
        // ORDERING: acquire, pairs with the release in `get_or_try_make`.
        if self.state.load(Ordering::Acquire) != MADE {
            return None;
        }
        // SAFETY: nobody writes any more.
        let value = unsafe { &*self.value.get() };
        // SAFETY: MADE means written.
        Some(unsafe { value.assume_init_ref() })
    }

    /// The value, made by `make` if it does not exist; `None` if `make` fails, which a later
    /// caller may try again. Who comes while it is being made waits.
    #[inline]
    pub(crate) fn get_or_try_make(&self, make: impl FnOnce() -> Option<T>) -> Option<&T> {
        match self.get() {
            Some(value) => Some(value),
            None => self.make(make),
        }
    }

    /// Apart from the way that everyone takes, which shall not pay for the maker's stack.
    #[cold]
    #[inline(never)]
    fn make(&self, make: impl FnOnce() -> Option<T>) -> Option<&T> {
        loop {
            if let Some(value) = self.get() {
                return Some(value);
            }
            // ORDERING: acquire, to see what a failed maker left behind.
            let start =
                self.state
                    .compare_exchange(EMPTY, MAKING, Ordering::Acquire, Ordering::Relaxed);
            if start.is_ok() {
                break;
            }
            sys::futex_wait(&self.state, MAKING);
        }
        let made = make();
        let state = if made.is_some() { MADE } else { EMPTY };
        if let Some(value) = made {
            // SAFETY: MAKING gives this thread the sole right to write.
            let place = unsafe { &mut *self.value.get() };
            place.write(value);
        }
        // ORDERING: release, so that who sees MADE sees the value.
        self.state.store(state, Ordering::Release);
        sys::futex_wake(&self.state, usize::MAX >> 33);
        self.get()
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
}
