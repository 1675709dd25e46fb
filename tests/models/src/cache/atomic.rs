//! The atomics of `bounds.rs`.
#![forbid(unsafe_code)]

use loom::sync::atomic;
pub(super) use loom::sync::atomic::{AtomicU32, Ordering};

pub(super) use crate::sys::barrier as compiler_fence;

/// A pointer that one thread stores and others load. A relaxed store continues the release sequence of
/// that thread's store before, as every processor does, and C++ did before C++20. Now, and in loom, only an
/// exchange does, which is the same where one thread stores.
#[derive(Debug)]
pub(super) struct AtomicPtr<T>(atomic::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    pub(super) fn new(value: *mut T) -> Self {
        Self(atomic::AtomicPtr::new(value))
    }

    pub(super) fn load(&self, ordering: Ordering) -> *mut T {
        self.0.load(ordering)
    }

    pub(super) fn store(&self, value: *mut T, ordering: Ordering) {
        self.0.swap(value, ordering);
    }
}
