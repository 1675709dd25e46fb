//! Where the program's own stack and arrays lie, moved by a number: the same code runs faster or slower by such chance.

#![forbid(unsafe_code)]

use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The number; with 0 nothing is moved.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A page, within which things are moved …
pub const ROOM: usize = 4096;
/// … by multiples of a cache line.
const LINE: usize = 64;

/// Sets the number, before any array is made or thread started.
pub fn set(number: usize) {
    // ORDERING: relaxed; there is one thread.
    NUMBER.store(number, Relaxed);
}

/// By how many bytes the array that was made as number `what` lies after the start of its page.
#[must_use]
pub fn offset(what: usize) -> usize {
    // ORDERING: relaxed, set before.
    let number = NUMBER.load(Relaxed);
    // Odd factors: each number gives other distances between the arrays.
    number * (2 * what + 1) * 11 % (ROOM / LINE) * LINE
}

/// Runs something deeper in the stack.
pub fn on_moved_stack<R>(run: impl FnOnce() -> R) -> R {
    let mut result = None;
    let mut run = Some(run);
    deeper(offset(0) / LINE, &mut || {
        result = run.take().map(|run| run());
    });
    result.expect("it ran once")
}

#[inline(never)]
fn deeper(lines: usize, run: &mut dyn FnMut()) {
    let line = black_box([0_u8; LINE]);
    match lines {
        0 => run(),
        more => deeper(more - 1, run),
    }
    black_box(&line);
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_runs_deeper_runs_once() {
        assert_eq!(super::on_moved_stack(|| 7), 7);
        assert_eq!(super::offset(5), 0);
    }
}
