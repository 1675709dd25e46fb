//! Time, which passes when it is told to.
#![forbid(unsafe_code)]

use loom::sync::atomic::{
    AtomicU64,
    Ordering::{self, Relaxed, SeqCst},
    fence,
};

use crate::cache::SETTLE_MS;

loom::lazy_static! {
    static ref NOW: AtomicU64 = AtomicU64::new(1000);
    static ref FENCES: AtomicU64 = AtomicU64::new(0);
}

/// Like `src/sys/linux.rs`: a clock that is never late.
pub(crate) fn milliseconds() -> u64 {
    NOW.fetch_add(0, Relaxed)
}

/// Lets as much time pass as must lie between detaching and taking.
pub(crate) fn wait() {
    wait_in_vain();
    barrier(SeqCst);
}

/// The same without what time does to memory.
pub(crate) fn wait_in_vain() {
    NOW.fetch_add(SETTLE_MS, Relaxed);
}

/// A fence. Loom tries two steps in both orders only if they touch the same word, and fences touch none; so
/// each of these touches one first.
pub(crate) fn barrier(ordering: Ordering) {
    FENCES.fetch_add(1, Relaxed);
    fence(ordering);
}
