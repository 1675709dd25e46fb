//! Whether a thread has reported a violation and is about to abort.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::sys::thread_id;

/// The thread that is ending the process, 0 for none.
static ENDING: AtomicUsize = AtomicUsize::new(0);

// ORDERING: relaxed; a thread looks for its own number, which only itself stores.

/// The calling thread will abort; until then it may hold locks.
pub(crate) fn announce_end() {
    ENDING.store(thread_id(), Relaxed);
}

/// Whether the calling thread is the one that will abort, so that it must not wait for locks.
pub(crate) fn is_ending() -> bool {
    ENDING.load(Relaxed) == thread_id()
}
