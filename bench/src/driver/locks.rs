//! How often locks are taken and how long they are held, for a thousand operations: counts, which do not depend on how many
//! processors the machine has.
//!
//! The library is a build that counts. Each workload runs twice, with one and with three shares of operations; the difference
//! leaves out start, filling and emptying. A lock of a thread's own cache, which others take when they visit it, counts apart.

use core::fmt::Write;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::Failure;
use super::case::Case;
use super::child;
use super::contention;
use super::peer::Peer;
use super::progress::Progress;

/// Seconds that the shorter of the two runs takes with glibc.
const SECONDS: f64 = 0.2;
/// Threads of a machine for which it is said for which part of the time a lock would be held …
const THREADS: f64 = 256.0;
/// … of which this many share what each cluster of processors has.
pub(super) const CLUSTER: f64 = 8.0;
/// What a line contains that takes the lock of a cache node, which each cluster has.
pub(super) const OF_CLUSTER: &str = "cache_node(";
/// What a line takes that takes the lock of the thread's own cache.
const OWN: &str = "busy.lock()";

/// What one run counted: by place, how often, ticks in all, and ticks at most.
type Counts = BTreeMap<String, [u64; 3]>;

#[derive(Debug, Default)]
struct Run {
    operations: u64,
    nanoseconds: f64,
    ticks_in_a_millisecond: f64,
    counts: Counts,
}

/// What one place in the source does to a lock in a workload.
#[derive(Debug, Default, Serialize)]
pub(super) struct Row {
    pub(super) workload: String,
    pub(super) threads: usize,
    /// How long an operation of one thread takes, in a build that counts.
    pub(super) thread_ns: f64,
    pub(super) place: String,
    pub(super) code: String,
    pub(super) is_own: bool,
    pub(super) taken_per_1000: f64,
    pub(super) mean_hold_ns: f64,
    pub(super) longest_hold_ns: f64,
    /// The part of the time for which the lock would be held on a machine with that many threads.
    pub(super) held_by_256: f64,
}

/// Counts all cases, and writes `locks.csv` and `locks.md`.
///
/// # Errors
///
/// When a run fails, counts nothing, or a file cannot be written.
pub fn run(
    cases: &[Case],
    library: &Path,
    out: &Path,
    (command, machine): &(String, String),
) -> Result<(), Failure> {
    let progress = Progress::new(cases.len());
    let mut rows = Vec::new();
    for case in cases {
        progress.now(&case.name);
        let share = match case.workload.usual {
            Some(usual) => usual.max(case.workload.least),
            None => child::calibrate(case, SECONDS)?,
        };
        let first = count(case, library, share)?;
        let second = count(case, library, share * 3)?;
        rows.extend(difference(case, &first, &second));
        progress.done(&case.name);
    }
    progress.finish();
    super::save(out, "locks", &rows, &page(&rows, command, machine))?;
    contention::report(&rows, out, &(command.clone(), machine.clone()))
}

fn count(case: &Case, library: &Path, operations: u64) -> Result<Run, Failure> {
    let file = std::env::temp_dir().join(format!("locks.{}", std::process::id()));
    let peer = Peer {
        configuration: Some(format!("stats:exit={}", file.display())),
        ..Peer::subject(library)?
    };
    // What a run before has left would be appended to.
    let _ = fs::remove_file(&file);
    let report = child::run(case, &peer, operations, &[])?;
    let text = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;
    let (ticks, counts) = parse(&text);
    if counts.is_empty() || ticks <= 0.0 {
        return Err(
            "the library does not count, or not for long enough: it is built with --cfg counted"
                .into(),
        );
    }
    Ok(Run {
        operations: report.outcome.operations,
        nanoseconds: report.outcome.nanoseconds as f64,
        ticks_in_a_millisecond: ticks,
        counts,
    })
}

/// The speed of the clock, and what was counted.
fn parse(text: &str) -> (f64, Counts) {
    let (mut ticks, mut counts) = (0.0, Counts::new());
    for line in text.lines().filter_map(|line| line.strip_prefix("lock ")) {
        if let Some(number) = line.strip_prefix("ticks a millisecond ") {
            ticks = number.parse().unwrap_or(0.0);
            continue;
        }
        let mut words = line.split_whitespace();
        let Some(place) = words.next() else {
            continue;
        };
        let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
        if let [taken, held, longest] = numbers[..] {
            let sums = counts.entry(place.to_owned()).or_default();
            *sums = [sums[0] + taken, sums[1] + held, sums[2].max(longest)];
        }
    }
    (ticks, counts)
}

fn difference(case: &Case, first: &Run, second: &Run) -> Vec<Row> {
    let operations = second.operations.saturating_sub(first.operations).max(1) as f64;
    let more = second.nanoseconds - first.nanoseconds;
    let time = if more > 0.0 { more } else { second.nanoseconds };
    let threads = case.workload.params(case.threads, 0).threads;
    let ticks_in_a_nanosecond = second.ticks_in_a_millisecond / 1e6;
    let row = |(place, after): (&String, &[u64; 3])| {
        let before = first.counts.get(place).copied().unwrap_or_default();
        let taken = after[0].saturating_sub(before[0]) as f64;
        let held = after[1].saturating_sub(before[1]) as f64 / ticks_in_a_nanosecond;
        let code = code_at(place);
        let sharing = match code.contains(OF_CLUSTER) {
            true => CLUSTER,
            false => THREADS,
        };
        Row {
            workload: case.name.clone(),
            threads,
            thread_ns: time * threads.max(1) as f64 / operations,
            place: place.clone(),
            is_own: code.contains(OWN),
            code,
            taken_per_1000: taken * 1000.0 / operations,
            mean_hold_ns: held / taken.max(1.0),
            longest_hold_ns: after[2] as f64 / ticks_in_a_nanosecond,
            held_by_256: sharing * held / (time * threads.max(1) as f64),
        }
    };
    let mut rows: Vec<Row> = second.counts.iter().map(row).collect();
    rows.retain(|row| row.taken_per_1000 >= 0.001);
    rows.sort_by(|one, other| other.taken_per_1000.total_cmp(&one.taken_per_1000));
    rows
}

/// The line of the source that a place names, where the source is at hand.
fn code_at(place: &str) -> String {
    let line = || {
        let (path, number) = place.rsplit_once(':')?;
        let text = fs::read_to_string(path).ok()?;
        let number = number.parse::<usize>().ok()?.checked_sub(1)?;
        Some(text.lines().nth(number)?.trim().replace('|', "\\|"))
    };
    line().unwrap_or_default()
}

fn page(rows: &[Row], command: &str, machine: &str) -> String {
    let mut text = format!("# Locks\n\n`{command}`\n\n{machine}\n\n");
    _ = writeln!(
        text,
        "Acquisitions for a thousand operations, by the place in the source that takes the lock; how long it is held; and for\n\
         which part of the time it would be if {THREADS} threads did so: of a cache_node's lock {CLUSTER}, since each cluster of\n\
         processors has cache_nodes of its own, and of every other one all. Times are of a build that counts, which makes them\n\
         longer. What is below one in a million is left out.\n\n\
         ## All places together\n\n| workload | threads | shared locks for 1,000 | the own cache's |\n|---|--:|--:|--:|"
    );
    let workloads: Vec<_> =
        super::markdown::unique(rows.iter().map(|row| row.workload.as_str())).collect();
    let of = |workload: &str| {
        let workload = workload.to_owned();
        rows.iter().filter(move |row| row.workload == workload)
    };
    for workload in &workloads {
        let threads = of(workload).map(|row| row.threads).max().unwrap_or(0);
        let sum = |is_own: bool| -> f64 {
            let rows = of(workload).filter(|row| row.is_own == is_own);
            rows.map(|row| row.taken_per_1000).sum()
        };
        let (shared, own) = (sum(false).abs(), sum(true).abs());
        _ = writeln!(text, "| {workload} | {threads} | {shared:.3} | {own:.3} |");
    }
    for workload in &workloads {
        _ = writeln!(
            text,
            "\n## {workload}\n\n| place | code | for 1,000 | mean ns | longest ns | held by 256 |\n|---|---|--:|--:|--:|--:|"
        );
        for row in of(workload) {
            _ = writeln!(
                text,
                "| {} | `{}` | {:.3} | {:.0} | {:.0} | {:.3} |",
                row.place,
                row.code,
                row.taken_per_1000,
                row.mean_hold_ns,
                row.longest_hold_ns,
                row.held_by_256
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn counts_of_one_place_are_added_up() {
        let text = "  arenas 1\nlock ticks a millisecond 2000000\nlock a.rs:1 3 40 20\nlock b.rs:2 1 1 1\nlock a.rs:1 1 10 10\n";
        let (ticks, counts) = parse(text);
        assert!((ticks - 2e6).abs() < 0.5);
        assert_eq!(counts["a.rs:1"], [4, 50, 20]);
        assert_eq!(counts.len(), 2);
    }
}
