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
}

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
    /// Operations of a run.
    pub operations: u64,
    /// Threads of a run.
    pub threads: usize,
    /// Why there are no more runs.
    pub failure: Option<String>,
}

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
    let operations = child::calibrate(case, effort.seconds)?;
    let mut all: Vec<Measured> = peers.iter().map(|_| Measured::default()).collect();
    for (peer, measured) in peers.iter().zip(&mut all) {
        progress.now(&format!("{}: warming up {}", case.name, peer.name));
        if let Err(error) = child::run(case, peer, operations / 10, &[]) {
            measured.failure = Some(error.to_string());
        }
    }
    let left = budget.saturating_sub(start.elapsed());
    interleave(
        &case.name,
        peers,
        &mut all,
        effort,
        left,
        progress,
        |peer| {
            let report = child::run(case, peer, operations, &[])?;
            Ok((report.outcome, report.threads))
        },
    );
    Ok(all)
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
                self.operations = outcome.operations;
                self.threads = threads;
            }
            Err(error) => self.failure = Some(error.to_string()),
        }
    }
}
