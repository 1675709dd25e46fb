//! Where own tables lie, for measurements of what their places cost: a build with `--cfg placed` moves them by the number
//! in its configuration, in every other build they stay where they are.
#![forbid(unsafe_code)]

#[cfg(placed)]
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The number that all places come from; with 0 nothing is moved.
#[cfg(placed)]
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// Memory that a table needs beyond its own to be moved within a page.
pub(crate) const PLACEMENT_ROOM: usize = if cfg!(placed) { 64 << 10 } else { 0 };

/// Sets the number, before there is a heap.
#[cfg(placed)]
pub(crate) fn set_placement(number: usize) {
    // ORDERING: relaxed; the process's first thread is the only one.
    NUMBER.store(number, Relaxed);
}

/// Which of `count` places the table `what` gets.
#[cfg(placed)]
pub(crate) fn placement(what: usize, count: usize) -> usize {
    // ORDERING: as above.
    let number = NUMBER.load(Relaxed);
    let mixed = (number ^ what << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    if number == 0 {
        0
    } else {
        (mixed >> 33) % count
    }
}

/// The first of them.
#[cfg(not(placed))]
#[inline(always)]
pub(crate) const fn placement(_what: usize, _count: usize) -> usize {
    0
}
