//! The command line of the programs that run one workload on one table and print one line.

use core::time::Duration;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use clap::Parser;
use serde::{Deserialize, Serialize};

use crate::latency::{self, Latencies};
use crate::meter::{Outcome, peak_bytes};
use crate::placement;
use crate::stack::stack;
use crate::table::Table;
use crate::workloads::{ALL, Params, Workload, find};

/// Runs one workload and prints its cost as one line of JSON.
#[derive(Debug, Parser)]
#[command(name = "work", version)]
struct Arguments {
    /// The workload; without one, all are listed
    workload: Option<String>,
    /// Threads; 0 for the workload's own choice
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Operations of all threads together; without it, as many as take about SECONDS
    #[arg(long)]
    ops: Option<u64>,
    /// How long the timed part is to take when operations are not given
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// The trace to replay
    #[arg(long)]
    trace: Option<PathBuf>,
    /// Times single calls instead
    #[arg(long)]
    latency: bool,
    /// Moves the stack and the benchmark's arrays, by a number
    #[arg(long, default_value_t = 0)]
    shift: usize,
    /// A bare array stack per thread in place of the allocator; for pair workloads only
    #[arg(long)]
    stack: bool,
}

/// The line that is printed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// The workload's name.
    pub workload: String,
    /// The table's name.
    pub table: String,
    /// Threads at once.
    pub threads: usize,
    /// Wall nanoseconds for one operation.
    pub nanoseconds_per_operation: f64,
    /// The measured cost.
    pub outcome: Outcome,
    /// What the program had resident when it began, the allocator's own start included.
    pub start_bytes: u64,
    /// Single calls, where they were asked for.
    pub latencies: Option<Latencies>,
}

/// Does what the command line says, on `table`.
pub fn main(table: Table) {
    // The allocator's own start is in every program's baseline, linked or preloaded.
    table.discard(table.place(64, 0u64));
    let start_bytes = peak_bytes();
    let arguments = Arguments::parse();
    let table = if arguments.stack { stack() } else { table };
    let Some(name) = &arguments.workload else {
        return ALL
            .iter()
            .for_each(|workload| println!("{}", workload.name));
    };
    let Some(workload) = find(name) else {
        eprintln!("there is no workload {name}");
        std::process::exit(2);
    };
    placement::set(arguments.shift);
    let report = Report {
        start_bytes,
        ..placement::on_moved_stack(|| run(&table, workload, &arguments))
    };
    println!(
        "{}",
        serde_json::to_string(&report).expect("a report is plain data")
    );
}

fn run(table: &Table, workload: &Workload, arguments: &Arguments) -> Report {
    let mut params = workload.params(arguments.threads, arguments.ops.unwrap_or(0));
    params.trace.clone_from(&arguments.trace);
    if arguments.ops.is_none() {
        let goal = Duration::from_secs_f64(arguments.seconds.max(0.001));
        start_again(workload.calibrate(table, &params, goal));
    }
    let (outcome, latencies) = match arguments.latency {
        true => measure_latencies(table, &params),
        false => ((workload.run)(table, &params), None),
    };
    Report {
        workload: workload.name.to_owned(),
        table: table.name.to_owned(),
        threads: params.threads,
        nanoseconds_per_operation: outcome.nanoseconds_per_operation(),
        outcome,
        start_bytes: 0,
        latencies,
    }
}

/// Becomes the same program with an operation count, so that what the trial runs left behind is gone.
fn start_again(operations: u64) {
    let own = std::env::current_exe().expect("a program knows its own file");
    let arguments = std::env::args_os().skip(1);
    let error = Command::new(own)
        .args(arguments)
        .args(["--ops", &operations.to_string()])
        .exec();
    panic!("cannot start again: {error}");
}

fn measure_latencies(table: &Table, params: &Params) -> (Outcome, Option<Latencies>) {
    let (outcome, latencies) = latency::run(table, params);
    (outcome, Some(latencies))
}
