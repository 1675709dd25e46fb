//! Interleaved rounds of one case: every allocator in turn, A B C then B C A, until the medians rest.
//!
//! All get the operation count that was found with the C library's allocator, so that time and
//! memory are of the same work.

use core::time::Duration;
use std::time::Instant;

use super::Failure;
use super::case::Case;
use super::child;
use super::peer::Peer;
use super::progress::Progress;
use super::samples::Samples;
use crate::meter::Outcome;
use crate::workloads::{Purpose, Workload};

/// How long and how often to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The timed part of one run, in seconds, under the C library's allocator.
    pub seconds: f64,
    /// Rounds that are always run, unless time is up.
    pub least_rounds: usize,
    /// Rounds after which it ends in any case.
    pub most_rounds: usize,
    /// The medians rest when two more runs move none of them by more than this share.
    pub settled_share: f64,
    /// Operations of a run, where the reader wants another number than what is found or usual.
    pub operations: Option<u64>,
}

/// Memory at rest varies little, and its cases run long: rounds at most.
const REST_ROUNDS: usize = 3;

/// What the usual operations of a case with [`Purpose::RestAndTime`] take with most allocators.
const USUAL_SECONDS: f64 = 35.0;

/// What one allocator did on one case.
#[derive(Debug, Default)]
pub struct Measured {
    /// Wall nanoseconds for one operation.
    pub nanoseconds: Samples,
    /// Resident bytes at the start.
    pub start_bytes: Samples,
    /// Peak resident bytes of the whole process.
    pub peak_bytes: Samples,
    /// User seconds of a run.
    pub user_seconds: Samples,
    /// System seconds of a run.
    pub system_seconds: Samples,
    /// Page faults of a run.
    pub minor_faults: Samples,
    /// Resident bytes of the whole process when the work was over, where that was read.
    pub rest_bytes: Samples,
    /// The same after the first tenth of the operations.
    pub first_tenth_bytes: Samples,
    /// Operations of a run.
    pub operations: u64,
    /// Threads of a run.
    pub threads: usize,
    /// Why there are no more runs.
    pub failure: Option<String>,
}

/// A warm-up has one operation in this many.
const WARM_SHARE: u64 = 10;
/// Seconds that a run takes at most with the slowest allocator, as far as the warm-up tells.
const MOST_SECONDS: f64 = 10.0;

/// Runs one case under all `peers` within `budget`; gives one result for each, in their order.
///
/// # Errors
///
/// When it does not run even with the C library's own allocator.
pub fn measure(
    case: &Case,
    peers: &[Peer],
    effort: &Effort,
    budget: Duration,
    progress: &Progress,
) -> Result<Vec<Measured>, Failure> {
    let start = Instant::now();
    progress.now(&format!("{}: finding an operation count", case.name));
    let fitting = |usual| fitting(case.workload, usual, peers.len(), budget);
    let operations = match (effort.operations, case.workload.usual.map(fitting)) {
        (Some(operations), _) | (None, Some(operations)) => operations,
        (None, None) => child::calibrate(case, effort.seconds)?,
    };
    let mut all: Vec<Measured> = peers.iter().map(|_| Measured::default()).collect();
    // A case with a fixed amount of work has no shorter run to warm up with.
    let mut slowest = Duration::ZERO;
    let warmed = peers.iter().zip(&mut all);
    for (peer, measured) in warmed.filter(|_| case.workload.usual.is_none()) {
        progress.now(&format!("{}: warming up {}", case.name, peer.name));
        let start = Instant::now();
        if let Err(error) = child::run(case, peer, operations / WARM_SHARE, &[]) {
            measured.failure = Some(error.to_string());
        }
        slowest = slowest.max(start.elapsed());
    }
    let operations = bearable(operations, slowest);
    let left = budget.saturating_sub(start.elapsed());
    let most_rounds = match case.workload.purpose {
        Purpose::Time => effort.most_rounds,
        _ => effort.most_rounds.min(REST_ROUNDS),
    };
    interleave(
        &case.name,
        peers,
        &mut all,
        &Effort {
            most_rounds,
            ..*effort
        },
        left,
        progress,
        |peer| {
            let report = child::run(case, peer, operations, &[])?;
            Ok((report.outcome, report.threads))
        },
    );
    Ok(all)
}

/// Returns the operations of a run, fewer if the slowest warm-up shows that they would take too long with one allocator.
fn bearable(operations: u64, slowest: Duration) -> u64 {
    let whole = slowest.as_secs_f64() * WARM_SHARE as f64;
    let share = (MOST_SECONDS / whole.max(MOST_SECONDS)).min(1.0);
    ((operations as f64 * share) as u64).max(1)
}

/// The usual operations of a workload, or fewer if one round of them all would take more than `budget`.
fn fitting(workload: &Workload, usual: u64, peers: usize, budget: Duration) -> u64 {
    if workload.purpose != Purpose::RestAndTime {
        return usual;
    }
    let share = budget.as_secs_f64() / (peers as f64 * USUAL_SECONDS);
    (usual as f64 * share.clamp(0.05, 1.0)) as u64
}

/// Runs `once` for every peer in turn, again and again, until the medians rest or a bound is reached.
pub fn interleave(
    name: &str,
    peers: &[Peer],
    all: &mut [Measured],
    effort: &Effort,
    budget: Duration,
    progress: &Progress,
    once: impl Fn(&Peer) -> Result<(Outcome, usize), Failure>,
) {
    let start = Instant::now();
    for round in 0..effort.most_rounds {
        if round > 0 && start.elapsed().mul_f64(1.0 + 1.0 / round as f64) > budget {
            break;
        }
        for turn in 0..peers.len() {
            let index = (turn + round) % peers.len();
            progress.now(&format!(
                "{name}: round {}, {}",
                round + 1,
                peers[index].name
            ));
            if all[index].failure.is_none() {
                all[index].add(once(&peers[index]));
            }
        }
        let rest =
            |one: &Measured| one.failure.is_some() || one.nanoseconds.settled(effort.settled_share);
        if round + 1 >= effort.least_rounds && all.iter().all(rest) {
            break;
        }
    }
}

impl Measured {
    fn add(&mut self, result: Result<(Outcome, usize), Failure>) {
        match result {
            Ok((outcome, threads)) => {
                self.nanoseconds.push(outcome.nanoseconds_per_operation());
                self.start_bytes.push(outcome.start_bytes as f64);
                self.peak_bytes
                    .push((outcome.start_bytes + outcome.peak_bytes) as f64);
                self.user_seconds.push(outcome.user_seconds);
                self.system_seconds.push(outcome.system_seconds);
                self.minor_faults.push(outcome.minor_faults as f64);
                let whole = |above: u64| (outcome.start_bytes + above) as f64;
                if let Some(bytes) = outcome.rest_bytes {
                    self.rest_bytes.push(whole(bytes));
                }
                if let Some(bytes) = outcome.first_tenth_bytes {
                    self.first_tenth_bytes.push(whole(bytes));
                }
                self.operations = outcome.operations;
                self.threads = threads;
            }
            Err(error) => self.failure = Some(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_allocator_makes_runs_shorter() {
        assert_eq!(bearable(1_000_000, Duration::ZERO), 1_000_000);
        assert_eq!(bearable(1_000_000, Duration::from_millis(999)), 1_000_000);
        assert_eq!(bearable(1_000_000, Duration::from_secs(10)), 100_000);
    }
}
