//! Single calls of every allocator, side by side.

use core::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::Failure;
use super::case::Case;
use super::child;
use super::peer::Peer;
use super::progress::Progress;
use super::samples::Samples;
use crate::latency::Quantiles;
use crate::workloads::find;

/// Rounds; the median of each quantile is shown, and the greatest maximum of all rounds.
const ROUNDS: usize = 5;

/// Replacements of one run.
const OPERATIONS: u64 = 2_000_000;

#[derive(Debug, Serialize)]
struct Row {
    call: &'static str,
    threads: usize,
    allocator: String,
    p50_ns: Option<f64>,
    p99_ns: Option<f64>,
    p999_ns: Option<f64>,
    max_ns: Option<f64>,
    least_max_ns: Option<f64>,
}

#[derive(Debug, Default, Clone)]
struct Distribution {
    p50: Samples,
    p99: Samples,
    p999: Samples,
    max: Samples,
}

/// Measures all peers with one thread and with two, and writes `latency.csv` and `latency.md`.
///
/// # Errors
///
/// When a run fails or a file cannot be written.
pub fn run(
    peers: &[Peer],
    out: &Path,
    (command, machine): &(String, String),
) -> Result<(), Failure> {
    let workload = find("replace/1e5").ok_or("the list has lost a workload")?;
    let progress = Progress::new(2 * ROUNDS);
    let mut rows = Vec::new();
    for threads in [1, 2] {
        let case = Case::of(workload).with_threads(threads);
        rows.extend(one(&case, peers, &progress)?);
    }
    progress.finish();
    let page = page(&rows, command, machine);
    super::save(out, "latency", &rows, &page)
}

fn one(case: &Case, peers: &[Peer], progress: &Progress) -> Result<Vec<Row>, Failure> {
    let calls = ["malloc", "free", "(clock)"];
    let mut all = vec![[const { None::<Distribution> }; 3]; peers.len()];
    for round in 0..ROUNDS {
        for turn in 0..peers.len() {
            let index = (turn + round) % peers.len();
            progress.now(&format!(
                "{}: round {}, {}",
                case.name,
                round + 1,
                peers[index].name
            ));
            let report = child::run(case, &peers[index], OPERATIONS, &["--latency"])?;
            let latencies = report
                .latencies
                .ok_or("this build of work times no single calls")?;
            let measured = [&latencies.malloc, &latencies.free, &latencies.clock];
            for (kept, new) in all[index].iter_mut().zip(measured) {
                kept.get_or_insert_default().add(new);
            }
        }
        progress.done(&format!("{}, round {}", case.name, round + 1));
    }
    let mut rows = Vec::new();
    for (kind, call) in calls.into_iter().enumerate() {
        for (peer, kept) in peers.iter().zip(&all) {
            let Some(distribution) = &kept[kind] else {
                continue;
            };
            rows.push(distribution.row(call, case.threads, &peer.name));
        }
    }
    Ok(rows)
}

impl Distribution {
    fn add(&mut self, quantiles: &Quantiles) {
        self.p50.push(quantiles.p50);
        self.p99.push(quantiles.p99);
        self.p999.push(quantiles.p999);
        self.max.push(quantiles.max);
    }

    fn row(&self, call: &'static str, threads: usize, allocator: &str) -> Row {
        Row {
            call,
            threads,
            allocator: allocator.to_owned(),
            p50_ns: self.p50.median(),
            p99_ns: self.p99.median(),
            p999_ns: self.p999.median(),
            max_ns: self.max.median(),
            least_max_ns: self.max.least(),
        }
    }
}

fn page(rows: &[Row], command: &str, machine: &str) -> String {
    let mut text = format!("# Single calls\n\n`{command}`\n\n{machine}\n\n");
    text += "Nanoseconds, two readings of the clock included (the rows named `clock` have nothing else).\n";
    text += "Quantiles are medians of interleaved runs. The maximum is mostly the kernel's doing, so its\n";
    text += "smallest over all runs stands beside its median.\n\n";
    text += "| call | threads | allocator | p50 | p99 | p99.9 | max | least max |\n|---|--:|---|--:|--:|--:|--:|--:|\n";
    for row in rows {
        let figure = |value: Option<f64>| super::markdown::figure(value, 0);
        _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            row.call,
            row.threads,
            row.allocator,
            figure(row.p50_ns),
            figure(row.p99_ns),
            figure(row.p999_ns),
            figure(row.max_ns),
            figure(row.least_max_ns),
        );
    }
    text
}
