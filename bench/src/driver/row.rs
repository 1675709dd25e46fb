//! The rows of a report: medians, and what they are relative to.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::case::Case;
use super::peer::{BASELINE, LIMIT, Peer, SUBJECT};
use super::round::Measured;
use super::samples::{Samples, geometric_mean};
use crate::workloads::Purpose;

/// Below this peak, memory ratios say more about rounding and program text than about allocators.
pub const LEAST_PEAK_BYTES: f64 = 2.0 * 1024.0 * 1024.0;

/// One allocator on one case.
#[derive(Clone, Debug, Deserialize, Serialize)]
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

/// The cases in which each allocator has `ratio` that has it in any.
#[must_use]
pub fn shared(rows: &[Row], ratio: fn(&Row) -> Option<f64>) -> HashSet<&str> {
    let known = rows
        .iter()
        .filter(|row| row.allocator != LIMIT && ratio(row).is_some());
    let (mut allocators, mut counts) = (HashSet::new(), HashMap::new());
    for row in known {
        allocators.insert(&row.allocator);
        *counts.entry(row.workload.as_str()).or_insert(0) += 1;
    }
    counts.retain(|_, count| *count == allocators.len());
    counts.into_keys().collect()
}

/// One allocator's geometric mean of `ratio`, over the [`shared`] cases: the same ones for all.
#[must_use]
pub fn mean(rows: &[Row], allocator: &str, ratio: fn(&Row) -> Option<f64>) -> Option<f64> {
    let shared = shared(rows, ratio);
    let mine = rows.iter().filter(|row| row.allocator == allocator);
    geometric_mean(
        mine.filter(|row| shared.contains(row.workload.as_str()))
            .filter_map(ratio),
    )
}

/// Geometric mean of an allocator's `ratio` over ours, in all cases that have both, and how many those are.
#[must_use]
pub fn against_ours(
    rows: &[Row],
    allocator: &str,
    ratio: fn(&Row) -> Option<f64>,
) -> (Option<f64>, usize) {
    let ours = rows.iter().filter(|row| row.allocator == SUBJECT);
    let ours: HashMap<_, _> = ours
        .filter_map(|row| Some((&row.workload, ratio(row)?)))
        .collect();
    let theirs = rows.iter().filter(|row| row.allocator == allocator);
    let ratios: Vec<_> = theirs
        .filter_map(|row| Some(ratio(row)? / ours.get(&row.workload)?))
        .collect();
    let count = ratios.len();
    (geometric_mean(ratios), count)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(workload: &str, allocator: &str, time: Option<f64>) -> Row {
        let time = time.map_or_else(String::new, |time| time.to_string());
        let text = format!(
            "workload,allocator,threads,operations,rounds,time_to_glibc\n{workload},{allocator},1,1,1,{time}\n"
        );
        let mut table = csv::Reader::from_reader(text.as_bytes());
        let row = table.deserialize().next().expect("a line");
        row.expect("a row")
    }

    #[test]
    fn means_are_over_the_cases_that_all_have() {
        let rows = [
            timed("one", SUBJECT, Some(0.5)),
            timed("one", "other", Some(2.0)),
            timed("two", SUBJECT, Some(8.0)),
            timed("two", "other", None),
            timed("one", "none", None),
            timed("two", LIMIT, Some(1.0)),
        ];
        let time = |row: &Row| row.time_to_glibc;
        assert_eq!(mean(&rows, SUBJECT, time), Some(0.5));
        assert_eq!(mean(&rows, "other", time), Some(2.0));
        assert_eq!(mean(&rows, "none", time), None);
        assert_eq!(against_ours(&rows, "other", time), (Some(4.0), 1));
    }
}
