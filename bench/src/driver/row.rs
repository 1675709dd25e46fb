//! The rows of a report: medians, and what they are relative to.

use serde::Serialize;

use super::case::Case;
use super::peer::{BASELINE, LIMIT, Peer, SUBJECT};
use super::round::Measured;
use super::samples::{Samples, geometric_mean};
use crate::workloads::Purpose;

/// Below this peak, memory ratios say more about rounding and program text than about allocators.
pub const LEAST_PEAK_BYTES: f64 = 2.0 * 1024.0 * 1024.0;

/// One allocator on one case.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The case.
    pub workload: String,
    /// The allocator.
    pub allocator: String,
    /// Threads of a run.
    pub threads: usize,
    /// Operations of a run.
    pub operations: u64,
    /// Runs measured.
    pub rounds: usize,
    /// Median wall nanoseconds for one operation.
    pub nanoseconds: Option<f64>,
    /// The fastest run's.
    pub least_nanoseconds: Option<f64>,
    /// Median time over that of the C library's allocator.
    pub time_to_glibc: Option<f64>,
    /// Median time over that of the fastest other allocator, ours left out.
    pub time_to_best_peer: Option<f64>,
    /// Median peak resident bytes above what the same program has at its start with glibc.
    pub peak_bytes: Option<f64>,
    /// Median peak over that of the C library's allocator, where both are large enough to tell.
    pub memory_to_glibc: Option<f64>,
    /// Median peak over that of the smallest other allocator, ours left out.
    pub memory_to_best_peer: Option<f64>,
    /// Median resident bytes when the work was over, above the same start; where that is read.
    pub rest_bytes: Option<f64>,
    /// The same after the first tenth of the operations.
    pub first_tenth_bytes: Option<f64>,
    /// Median memory at rest over that of the C library's allocator.
    pub rest_to_glibc: Option<f64>,
    /// Median memory at rest over that of the smallest other allocator, ours left out.
    pub rest_to_best_peer: Option<f64>,
    /// Median user seconds of a run.
    pub user_seconds: Option<f64>,
    /// Median system seconds of a run.
    pub system_seconds: Option<f64>,
    /// Median page faults of a run.
    pub minor_faults: Option<f64>,
    /// Why figures are missing.
    pub failure: Option<String>,
}

/// The rows of one case.
#[must_use]
pub fn rows(case: &Case, peers: &[Peer], measured: &[Measured]) -> Vec<Row> {
    let mut rows = rows_named(&case.name, peers, measured);
    if !case.workload.purpose.compares_time() {
        for row in &mut rows {
            (row.time_to_glibc, row.time_to_best_peer) = (None, None);
        }
    }
    // A reference is no case of its own in any mean.
    if case.workload.purpose == Purpose::Reference {
        for row in &mut rows {
            (row.memory_to_glibc, row.memory_to_best_peer) = (None, None);
        }
    }
    rows
}

/// The rows of anything measured in the same way.
#[must_use]
pub fn rows_named(name: &str, peers: &[Peer], measured: &[Measured]) -> Vec<Row> {
    let times: Vec<_> = measured
        .iter()
        .map(|one| one.nanoseconds.median())
        .collect();
    let starts: Vec<_> = measured
        .iter()
        .map(|one| one.start_bytes.median())
        .collect();
    // One start for all: what an allocator takes beforehand counts as its memory, not as the program's.
    let start = baseline(peers, &starts).unwrap_or(0.0);
    let above = |samples: &Samples| Some((samples.median()? - start).max(0.0));
    let of_all = |samples: fn(&Measured) -> &Samples| -> Vec<_> {
        measured.iter().map(|one| above(samples(one))).collect()
    };
    let (peaks, rests) = (of_all(|one| &one.peak_bytes), of_all(|one| &one.rest_bytes));
    let large = |peak: &Option<f64>| peak.filter(|&bytes| bytes >= LEAST_PEAK_BYTES);
    let row = |index: usize| {
        let (peer, one) = (&peers[index], &measured[index]);
        let over = |mine: Option<f64>, theirs: Option<f64>| Some(mine? / theirs?);
        let memory = peer.name != LIMIT;
        let peak = peaks[index]
            .map(|bytes| bytes.max(4096.0))
            .filter(|_| memory);
        let rest = rests[index].map(|bytes| bytes.max(4096.0));
        Row {
            workload: name.to_owned(),
            allocator: peer.name.clone(),
            threads: one.threads,
            operations: one.operations,
            rounds: one.nanoseconds.len(),
            nanoseconds: times[index],
            least_nanoseconds: one.nanoseconds.least(),
            time_to_glibc: over(times[index], baseline(peers, &times)),
            time_to_best_peer: over(times[index], best_peer(peers, &times)),
            peak_bytes: peaks[index],
            memory_to_glibc: over(peak, large(&baseline(peers, &peaks))),
            memory_to_best_peer: over(peak, large(&best_peer(peers, &peaks))),
            rest_bytes: rests[index],
            first_tenth_bytes: above(&one.first_tenth_bytes),
            rest_to_glibc: over(rest, large(&baseline(peers, &rests))),
            rest_to_best_peer: over(rest, large(&best_peer(peers, &rests))),
            user_seconds: one.user_seconds.median(),
            system_seconds: one.system_seconds.median(),
            minor_faults: one.minor_faults.median(),
            failure: one.failure.clone(),
        }
    };
    (0..peers.len()).map(row).collect()
}

/// One allocator's geometric mean of `ratio`, over the cases that have it.
///
/// One that failed somewhere has a mean over fewer cases; [`failures`] tells how many are missing.
#[must_use]
pub fn mean(rows: &[Row], allocator: &str, ratio: fn(&Row) -> Option<f64>) -> Option<f64> {
    let mine = rows.iter().filter(|row| row.allocator == allocator);
    geometric_mean(mine.filter_map(ratio))
}

/// On how many cases an allocator failed.
#[must_use]
pub fn failures(rows: &[Row], allocator: &str) -> usize {
    rows.iter()
        .filter(|row| row.allocator == allocator && row.failure.is_some())
        .count()
}

fn baseline(peers: &[Peer], values: &[Option<f64>]) -> Option<f64> {
    let index = peers.iter().position(|peer| peer.name == BASELINE)?;
    values[index]
}

fn best_peer(peers: &[Peer], values: &[Option<f64>]) -> Option<f64> {
    let others = peers
        .iter()
        .zip(values)
        .filter(|(peer, _)| peer.name != SUBJECT && peer.name != LIMIT);
    others.filter_map(|(_, &value)| value).reduce(f64::min)
}
