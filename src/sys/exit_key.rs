//! Notice of a thread's end by a pthread key.
//!
//! # Invariant
//!
//! Nothing here takes a lock or allocates: libc takes a key by one atomic exchange, and keeps a thread's values of the
//! first keys in the thread's own block. See pthread_key_create(3).

use core::ffi::c_void;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::syscall::ask;

/// What libc calls with a thread's value when the thread ends. It has forgotten the value by then.
pub(crate) type ExitHook = extern "C" fn(*mut c_void);

/// glibc allocates memory for a thread's values of this and later keys.
const LIMIT: libc::pthread_key_t = 32;

/// States; anything else is the key, and 1.
const NONE: u32 = 0;
const CLOSED: u32 = u32::MAX;

/// A key that is made when it is first needed.
#[derive(Debug)]
pub(crate) struct ExitKey(AtomicU32);

// ORDERING: relaxed; a key is a number, and libc orders what belongs to it.

impl ExitKey {
    /// No key yet.
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(NONE))
    }

    /// Has `hook(value)` called when the calling thread ends; returns `false` if the program has taken the keys. `value`
    /// is not null.
    pub(crate) fn arm(&self, hook: ExitHook, value: *mut c_void) -> bool {
        let key = match self.0.load(Relaxed) {
            NONE => self.make(hook),
            state => key_of(state),
        };
        key.is_some_and(|key| set(key, value))
    }

    /// As [`Self::arm`], if there is a key.
    pub(crate) fn rearm(&self, value: *mut c_void) -> bool {
        self.key().is_some_and(|key| set(key, value))
    }

    /// Whether there is a key.
    pub(crate) fn is_made(&self) -> bool {
        self.key().is_some()
    }

    /// Gives the key back for good: no thread's end calls the hook from now on.
    pub(crate) fn close(&self) {
        if let Some(key) = key_of(self.0.swap(CLOSED, Relaxed)) {
            delete(key);
        }
    }

    fn key(&self) -> Option<libc::pthread_key_t> {
        key_of(self.0.load(Relaxed))
    }

    #[cold]
    fn make(&self, hook: ExitHook) -> Option<libc::pthread_key_t> {
        if !is_linked!("pthread_key_create") || !is_linked!("pthread_setspecific") {
            return None;
        }
        let mut key = 0;
        let create =
            // SAFETY: stores a key; the hook has the signature that libc wants.
            || unsafe { libc::pthread_key_create(&raw mut key, Some(destructor(hook))) };
        // One try: a program that has taken them all keeps them.
        let state = match ask(create) {
            0 if key < LIMIT => key + 1,
            0 => {
                delete(key);
                CLOSED
            }
            _ => CLOSED,
        };
        let exchange = self.0.compare_exchange(NONE, state, Relaxed, Relaxed);
        let Err(other) = exchange else {
            return key_of(state);
        };
        // Another thread was faster.
        if let Some(key) = key_of(state) {
            delete(key);
        }
        key_of(other)
    }
}

fn key_of(state: u32) -> Option<libc::pthread_key_t> {
    match state {
        NONE | CLOSED => None,
        state => Some(state - 1),
    }
}

fn destructor(hook: ExitHook) -> unsafe extern "C" fn(*mut c_void) {
    hook
}

fn set(key: libc::pthread_key_t, value: *mut c_void) -> bool {
    // SAFETY: stores a pointer for the calling thread, or fails if the key is gone.
    ask(|| unsafe { libc::pthread_setspecific(key, value) }) == 0
}

fn delete(key: libc::pthread_key_t) {
    // SAFETY: a key of this file's.
    let _ = unsafe { libc::pthread_key_delete(key) };
}
