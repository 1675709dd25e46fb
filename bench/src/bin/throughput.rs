//! The built-in comparison: a dozen workloads under the C library's allocator and under slubmalloc.

#![forbid(unsafe_code)]

use core::time::Duration;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use slubmalloc_bench::driver::Failure;
use slubmalloc_bench::driver::case::{Selection, cases};
use slubmalloc_bench::driver::peer::{Peer, SUBJECT};
use slubmalloc_bench::driver::progress::Progress;
use slubmalloc_bench::driver::round::{Effort, measure};
use slubmalloc_bench::driver::row::{Row, mean, rows};

/// Compares slubmalloc with the C library's allocator and prints one table.
#[derive(Debug, Parser)]
#[command(name = "throughput", version)]
struct Arguments {
    /// libslubmalloc.so
    #[arg(long)]
    library: PathBuf,
    /// Rounds at most
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// When to be done
    #[arg(long, default_value_t = 80.0)]
    seconds: f64,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let peers = [Peer::glibc(), Peer::subject(&arguments.library)?];
    let cases = cases(Selection::Quick, &PathBuf::new());
    let rounds = arguments.rounds.max(1);
    let effort = Effort {
        seconds: 0.25,
        least_rounds: rounds,
        most_rounds: rounds,
        settled_share: 0.0,
        operations: None,
    };
    let progress = Progress::new(cases.len());
    let start = Instant::now();
    let mut all = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let left = (arguments.seconds - start.elapsed().as_secs_f64()).max(0.0);
        let budget = Duration::from_secs_f64(left / (cases.len() - index) as f64);
        all.extend(rows(
            case,
            &peers,
            &measure(case, &peers, &effort, budget, &progress)?,
        ));
        progress.done(&case.name);
    }
    progress.finish();
    print_table(&all);
    Ok(())
}

fn print_table(rows: &[Row]) {
    let heading = "                          time, ns per operation             peak memory, KiB";
    println!("{heading}");
    println!(
        "{:<16} {:>12} {:>12} {:>8} {:>12} {:>12} {:>8}",
        "workload", "glibc", SUBJECT, "ratio", "glibc", SUBJECT, "ratio"
    );
    for pair in rows.chunks_exact(2) {
        let [glibc, subject] = pair else { continue };
        if let Some(failure) = pair.iter().find_map(|row| row.failure.as_ref()) {
            println!("{:<16} failed: {failure}", glibc.workload);
            continue;
        }
        println!(
            "{:<16} {:>12} {:>12} {:>8} {:>12} {:>12} {:>8}",
            glibc.workload,
            figure(glibc.nanoseconds, 1),
            figure(subject.nanoseconds, 1),
            figure(subject.time_to_glibc, 2),
            figure(glibc.peak_bytes.map(|bytes| bytes / 1024.0), 0),
            figure(subject.peak_bytes.map(|bytes| bytes / 1024.0), 0),
            figure(subject.memory_to_glibc, 2),
        );
    }
    println!(
        "{:<16} {:>12} {:>12} {:>8} {:>12} {:>12} {:>8}",
        "geometric mean",
        "",
        "",
        figure(mean(rows, SUBJECT, |row| row.time_to_glibc), 2),
        "",
        "",
        figure(mean(rows, SUBJECT, |row| row.memory_to_glibc), 2),
    );
    println!(
        "Ratios are slubmalloc over glibc: below 1 is faster, or smaller. Memory is the peak above what"
    );
    println!(
        "the program has at its start with glibc; a ratio is given where glibc's is at least 2 MiB."
    );
}

fn figure(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.digits$}"))
}
