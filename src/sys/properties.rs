//! Whether calls that change the properties of memory are seen: mprotect(2), mlock(2), madvise(2) and the like.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

static ARE_KNOWN: AtomicBool = AtomicBool::new(false);

// ORDERING: relaxed; it is set once, before the program's own code runs.

/// Says that every such call of the program's tells [`property_change`](crate::raw::property_change).
pub fn know_property_calls() {
    ARE_KNOWN.store(true, Relaxed);
}

pub(crate) fn are_property_calls_known() -> bool {
    ARE_KNOWN.load(Relaxed)
}
