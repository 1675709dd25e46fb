//! Counted, not timed: instructions, cycles and misses for one operation.
//!
//! Each workload runs twice, with one and with three shares of operations; the difference leaves out
//! start, filling and emptying. `perf stat` counts where the machine lets it; else callgrind
//! counts instructions and simulates the caches.

use core::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use super::Failure;
use super::case::Case;
use super::child::{self, succeeded};
use super::peer::Peer;
use super::progress::Progress;

/// A share of operations: enough to drown chance, few enough for callgrind's fiftyfold slowness.
const SHARE: u64 = 100_000;

/// A tool that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counter {
    Perf,
    Callgrind,
}

#[derive(Debug, Serialize)]
struct Row {
    workload: String,
    allocator: String,
    event: String,
    per_operation: f64,
}

const PERF_EVENTS: &[&str] = &[
    "instructions:u",
    "cycles:u",
    "cache-misses:u",
    "dTLB-load-misses:u",
    "branch-misses:u",
];

/// Counts all cases under all peers, and writes `counts.csv` and `counts.md`.
///
/// # Errors
///
/// When neither tool works, a run fails, or a file cannot be written.
pub fn run(
    cases: &[Case],
    peers: &[Peer],
    out: &Path,
    (command, machine): &(String, String),
) -> Result<(), Failure> {
    let counter = Counter::of_this_machine()?;
    // Threads under callgrind run one at a time and spin: their counts would be of the waiting.
    // Those with a fixed amount of work have no shares, or wait.
    let by_itself = |case: &&Case| {
        case.workload.usual.is_none() && case.workload.params(case.threads, 0).threads == 1
    };
    let cases: Vec<_> = cases
        .iter()
        .filter(by_itself)
        .filter(|case| case.workload.name != "idle")
        .collect();
    let progress = Progress::new(cases.len());
    let mut rows = Vec::new();
    for case in &cases {
        for peer in peers {
            progress.now(&format!("{}: {}", case.name, peer.name));
            match counter.difference(case, peer) {
                Ok(counts) => rows.extend(counts.into_iter().map(|(event, per_operation)| Row {
                    workload: case.name.clone(),
                    allocator: peer.name.clone(),
                    event,
                    per_operation,
                })),
                Err(error) => eprintln!("{} under {}: {error}", case.name, peer.name),
            }
        }
        progress.done(&case.name);
    }
    progress.finish();
    let page = page(&rows, counter, command, machine);
    super::save(out, "counts", &rows, &page)
}

impl Counter {
    fn of_this_machine() -> Result<Self, Failure> {
        let perf = Command::new("perf")
            .args(["stat", "-x,", "-e", "instructions:u", "true"])
            .output();
        let counts = |text: &[u8]| {
            String::from_utf8_lossy(text).starts_with(|first: char| first.is_ascii_digit())
        };
        if perf.is_ok_and(|output| output.status.success() && counts(&output.stderr)) {
            return Ok(Self::Perf);
        }
        let valgrind = Command::new("valgrind").arg("--version").output();
        match valgrind.is_ok_and(|output| output.status.success()) {
            true => Ok(Self::Callgrind),
            false => Err("neither perf nor valgrind can count here".into()),
        }
    }

    fn difference(self, case: &Case, peer: &Peer) -> Result<Vec<(String, f64)>, Failure> {
        let least = case.workload.least;
        let share = SHARE.min(least.max(1) * 10).max(least);
        let (first_operations, first) = self.count(case, peer, share)?;
        let (second_operations, second) = self.count(case, peer, share * 3)?;
        let more = second_operations.saturating_sub(first_operations).max(1) as f64;
        let pairs = first.into_iter().zip(second);
        Ok(pairs
            .map(|((event, first), (_, second))| (event, (second - first) / more))
            .collect())
    }

    fn count(
        self,
        case: &Case,
        peer: &Peer,
        operations: u64,
    ) -> Result<(u64, Vec<(String, f64)>), Failure> {
        let file = std::env::temp_dir().join(format!("counts.{}", std::process::id()));
        let name = file.display().to_string();
        let events = PERF_EVENTS.join(",");
        let file_option = format!("--callgrind-out-file={name}");
        let wrapper = match self {
            Self::Perf => vec![
                "perf",
                "stat",
                "-x,",
                "-e",
                events.as_str(),
                "-o",
                name.as_str(),
            ],
            Self::Callgrind => {
                let simulate = [
                    "--cache-sim=yes",
                    "--branch-sim=yes",
                    "--trace-children=yes",
                ];
                let mut words = vec!["valgrind", "--tool=callgrind", file_option.as_str()];
                words.extend(simulate);
                words
            }
        };
        let output = child::command(case, peer, operations, &wrapper, &[])?.output()?;
        succeeded(&output)?;
        let text = fs::read_to_string(&file)?;
        fs::remove_file(&file)?;
        let report: crate::cli::Report = serde_json::from_slice(&output.stdout)?;
        let counts = match self {
            Self::Perf => parse_perf(&text),
            Self::Callgrind => parse_callgrind(&text),
        };
        Ok((report.outcome.operations, counts))
    }
}

fn parse_perf(text: &str) -> Vec<(String, f64)> {
    let line = |line: &str| {
        let mut cells = line.split(',');
        let value = cells.next()?.parse().ok()?;
        Some((cells.nth(1)?.to_owned(), value))
    };
    text.lines().filter_map(line).collect()
}

fn parse_callgrind(text: &str) -> Vec<(String, f64)> {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or("")
    };
    let totals = if field("totals:").is_empty() {
        field("summary:")
    } else {
        field("totals:")
    };
    let numbers: Vec<f64> = totals
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let names: Vec<_> = field("events:").split_whitespace().collect();
    let sum = |parts: &[&str]| {
        let value = |part: &&str| {
            names
                .iter()
                .position(|name| name == part)
                .and_then(|index| numbers.get(index))
        };
        parts.iter().filter_map(value).sum::<f64>()
    };
    vec![
        ("instructions".into(), sum(&["Ir"])),
        ("reads".into(), sum(&["Dr"])),
        ("writes".into(), sum(&["Dw"])),
        ("L1 data misses".into(), sum(&["D1mr", "D1mw"])),
        ("last-level data misses".into(), sum(&["DLmr", "DLmw"])),
        ("mispredicted branches".into(), sum(&["Bcm", "Bim"])),
    ]
}

fn page(rows: &[Row], counter: Counter, command: &str, machine: &str) -> String {
    let tool = if counter == Counter::Perf {
        "perf stat"
    } else {
        "callgrind, with simulated caches"
    };
    let mut text =
        format!("# Counts for one operation\n\n`{command}`\n\n{machine}\n\nCounted by {tool}.\n");
    for workload in super::markdown::unique(rows.iter().map(|row| row.workload.as_str())) {
        let of_workload: Vec<_> = rows.iter().filter(|row| row.workload == workload).collect();
        let events: Vec<_> =
            super::markdown::unique(of_workload.iter().map(|row| row.event.as_str())).collect();
        _ = writeln!(
            text,
            "\n## {workload}\n\n| allocator | {} |",
            events.join(" | ")
        );
        _ = writeln!(text, "|---|{}", "--:|".repeat(events.len()));
        for allocator in
            super::markdown::unique(of_workload.iter().map(|row| row.allocator.as_str()))
        {
            let mine = of_workload.iter().filter(|row| row.allocator == allocator);
            let cells: Vec<_> = mine
                .map(|row| format!("{:.2}", row.per_operation))
                .collect();
            _ = writeln!(text, "| {allocator} | {} |", cells.join(" | "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{parse_callgrind, parse_perf};

    #[test]
    fn counts_are_read_from_both_tools() {
        let perf = "# started\n\n123456,,instructions:u,99,100.00,,\n<not supported>,,cycles:u,0,100.00,,\n";
        assert_eq!(parse_perf(perf), [("instructions:u".to_owned(), 123_456.0)]);
        let callgrind = "events: Ir Dr Dw I1mr D1mr D1mw\nfn=x\n1 2\ntotals: 100 20 10 1 3 4\n";
        let counts = parse_callgrind(callgrind);
        assert_eq!(counts[0], ("instructions".to_owned(), 100.0));
        assert_eq!(counts[3], ("L1 data misses".to_owned(), 7.0));
    }
}
