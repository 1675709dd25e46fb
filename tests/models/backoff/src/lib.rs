//! What the library takes from crossbeam-utils. A waiter does not spin: loom would try every number of turns.
#![no_std]
#![forbid(unsafe_code)]

use core::ops::{Deref, DerefMut};

/// As crossbeam's when its turns are over.
#[derive(Debug, Default)]
pub struct Backoff;

impl Backoff {
    /// One whose turns are over.
    pub const fn new() -> Self {
        Self
    }

    /// Always.
    pub fn is_completed(&self) -> bool {
        true
    }

    /// Is not called then.
    pub fn spin(&self) {}
}

/// A value; how far it lies from others does not matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CachePadded<T>(T);

impl<T> CachePadded<T> {
    /// The value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for CachePadded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for CachePadded<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
