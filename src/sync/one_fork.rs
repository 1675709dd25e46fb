//! Forks are played by one test at a time, as a process has one state of them.
#![forbid(unsafe_code)]

extern crate std;
use std::sync::{Mutex, MutexGuard, PoisonError};

static ONE: Mutex<()> = Mutex::new(());

/// The right to play a fork, until it is dropped.
pub(crate) fn take() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}
