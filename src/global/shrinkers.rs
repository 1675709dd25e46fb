//! The program's shrinkers, and what the purge thread has of them while memory is short.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::threads::inside;
use crate::heap::Heap;
use crate::report::Line;
use crate::shrink::{MOST_NAME, Shrinkers};

pub(super) static SHRINKERS: Shrinkers = Shrinkers::new();
/// An allocation failed, and the purge thread has not looked since.
pub(super) static IS_SHORT: AtomicBool = AtomicBool::new(false);

/// How much goes at a time, as a shift: an eighth of what can, and then all of it.
pub(super) const SHIFTS: [u32; 2] = [3, 0];

/// A line for each shrinker.
pub(super) fn print(mut put: impl FnMut(&[u8])) {
    let mut from = 0;
    while let Some((name, runs, gone, next)) = inside(|| SHRINKERS.numbers(from)) {
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(MOST_NAME);
        let mut line = Line::<160>::new();
        line.text("shrinker ")
            .quoted(name.get(..end).unwrap_or_default(), MOST_NAME);
        line.text(": ").number(runs).text(" runs, ").number(gone);
        put(line.text(" objects given up\n").as_bytes());
        from = next;
    }
}

/// Runs all shrinkers in the purge thread, if memory is short.
pub(super) fn run_if_short(heap: &Heap) {
    if !SHRINKERS.has_some() {
        return;
    }
    let has_failed = IS_SHORT.swap(false, Relaxed);
    if has_failed {
        run(0, false);
    } else if heap.is_tight() {
        run(SHIFTS[0], false);
    }
}

/// Runs the shrinkers one after the other; whether there was any.
pub(super) fn run(shift: u32, only_direct: bool) -> bool {
    let mut next = 0;
    while let Some((index, shrinker)) = inside(|| SHRINKERS.begin(next, only_direct)) {
        let gone = shrinker.run(shift);
        inside(|| SHRINKERS.end(index, gone));
        next = index + 1;
    }
    next > 0
}
