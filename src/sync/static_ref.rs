//! A reference that changes: to something that lives for ever, or to nothing.

use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// A place for an `Option<&'static T>`; who reads and who writes is ordered by something else.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct StaticRef<T: 'static>(AtomicPtr<T>);

impl<T: Sync> StaticRef<T> {
    /// Refers to nothing.
    pub(crate) const fn none() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// What it refers to.
    #[inline]
    pub(crate) fn get(&self) -> Option<&'static T> {
        // ORDERING: relaxed, see the type.
        // SAFETY: only `set` stores here, and it stores references that live for ever.
        unsafe { self.0.load(Relaxed).as_ref() }
    }

    /// Refers to `target` from now on.
    pub(crate) fn set(&self, target: Option<&'static T>) {
        let pointer = target.map_or(core::ptr::null_mut(), |it| {
            core::ptr::from_ref(it).cast_mut()
        });
        // ORDERING: relaxed, see the type.
        self.0.store(pointer, Relaxed);
    }
}
