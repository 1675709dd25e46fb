//! Threads that start together, and the time from the first start to the last stop.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::sync::Barrier;
use std::time::Instant;

use crate::placement::on_moved_stack;

/// Where the threads of a run meet when they are ready.
#[derive(Debug)]
pub struct Gate {
    barrier: Barrier,
}

/// One thread's timed part.
#[derive(Clone, Copy, Debug)]
pub struct Lap {
    start: Instant,
    stop: Instant,
}

impl Gate {
    /// A gate for `count` threads.
    #[must_use]
    pub fn of(threads: usize) -> Self {
        Self {
            barrier: Barrier::new(threads),
        }
    }

    /// Waits for the others, then runs `work` and times it.
    pub fn time<R>(&self, work: impl FnOnce() -> R) -> (Lap, R) {
        self.barrier.wait();
        let start = Instant::now();
        let result = work();
        (
            Lap {
                start,
                stop: Instant::now(),
            },
            result,
        )
    }
}

/// Runs `member` on `threads` threads, on the caller's own when it is one.
///
/// Every member passes the gate exactly once. Gives the wall time from the first start to the last
/// stop, and the sum of what the members return.
pub fn crew<F>(threads: usize, member: F) -> (Duration, u64)
where
    F: Fn(usize, &Gate) -> (Lap, u64) + Sync,
{
    let gate = Gate::of(threads);
    if threads == 1 {
        return total([member(0, &gate)]);
    }
    std::thread::scope(|scope| {
        let (member, gate) = (&member, &gate);
        let members: Vec<_> = (0..threads)
            .map(|index| scope.spawn(move || on_moved_stack(|| member(index, gate))))
            .collect();
        total(
            members
                .into_iter()
                .map(|thread| thread.join().expect("a thread of the workload failed")),
        )
    })
}

/// Sums up members that ran in any other way than [`crew`]'s.
pub fn total(members: impl IntoIterator<Item = (Lap, u64)>) -> (Duration, u64) {
    let mut whole: Option<Lap> = None;
    let mut sum = 0u64;
    for (lap, result) in members {
        sum = sum.wrapping_add(result);
        let before = whole.unwrap_or(lap);
        whole = Some(Lap {
            start: before.start.min(lap.start),
            stop: before.stop.max(lap.stop),
        });
    }
    (
        whole.map_or(Duration::ZERO, |lap| lap.stop - lap.start),
        sum,
    )
}

/// The share of `operations` that each of `threads` does, at least one.
#[must_use]
pub fn share(operations: u64, threads: usize) -> u64 {
    (operations / threads as u64).max(1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_member_runs_once() {
        let (elapsed, sum) = super::crew(3, |index, gate| gate.time(|| 1 << index));
        assert_eq!(sum, 0b111);
        assert!(elapsed.as_secs() < 10);
    }
}
