//! The workloads, and the list of them that every program reads.
//!
//! Each is a plain function over a table and its parameters. All of them write to the memory they
//! get, check some of what they wrote, and count what the module's first line calls an operation.

#![forbid(unsafe_code)]

mod aligned;
mod batch;
mod burst;
mod consumers;
mod many_threads;
mod drift;
mod false_sharing;
mod grow;
mod handoff;
mod huge;
mod idle;
mod large;
mod one;
mod pair;
mod phases;
mod registry;
mod replace;
mod replay;
mod resize;
mod server;
mod shuffle;
mod tree;
mod zero;

use core::time::Duration;
use std::path::PathBuf;

use crate::meter::Outcome;
use crate::table::Table;

pub use registry::{ALL, QUICK, find};

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct Params {
    /// Threads that run at once.
    pub threads: usize,
    /// Operations of all threads together; a workload may round them to its own unit.
    pub operations: u64,
    /// The workload's own size: bytes, objects, whatever its name ends in.
    pub scale: usize,
    /// Where random numbers start.
    pub seed: u64,
    /// The trace to replay.
    pub trace: Option<PathBuf>,
}

/// How many threads a workload has unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// One; more run copies that share nothing.
    One,
    /// Four.
    Four,
    /// One for each processor, two at least.
    Cores,
}

/// What a workload's figures are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Time and peak memory.
    Time,
    /// Time that others may be held against: no ratios, and in no mean.
    Reference,
    /// Memory at rest; the time of its few operations tells little and is in no mean.
    Rest,
    /// Memory at rest, and time.
    RestAndTime,
}

impl Purpose {
    /// Whether memory at rest is read.
    #[must_use]
    pub fn reads_rest(self) -> bool {
        matches!(self, Self::Rest | Self::RestAndTime)
    }

    /// Whether times are compared.
    #[must_use]
    pub fn compares_time(self) -> bool {
        matches!(self, Self::Time | Self::RestAndTime)
    }
}

/// One entry of the list.
#[derive(Debug)]
pub struct Workload {
    /// Its name, as in `batch/1000`.
    pub name: &'static str,
    /// The function.
    pub run: fn(&Table, &Params) -> Outcome,
    /// The function's `scale`.
    pub scale: usize,
    /// How many threads.
    pub threads: Threads,
    /// The fewest operations that make sense; calibration starts here.
    pub least: u64,
    /// What its figures are for.
    pub purpose: Purpose,
    /// The operations of a whole run, where they are not found by trying.
    pub usual: Option<u64>,
}

impl Workload {
    /// Parameters for this workload; `threads` of zero means its own choice.
    #[must_use]
    pub fn params(&self, threads: usize, operations: u64) -> Params {
        let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        let threads = match (threads, self.threads) {
            (0, Threads::One) => 1,
            (0, Threads::Four) => 4,
            (0, Threads::Cores) => cores,
            (given, _) => given,
        };
        Params {
            threads,
            operations: operations.max(self.least),
            scale: self.scale,
            seed: 1,
            trace: None,
        }
    }

    /// How many operations take about `goal`, found by trying; or the usual number, if there is one.
    #[must_use]
    pub fn calibrate(&self, table: &Table, params: &Params, goal: Duration) -> u64 {
        if let Some(usual) = self.usual {
            return usual;
        }
        let mut params = params.clone();
        let goal = goal.as_nanos() as f64;
        loop {
            let outcome = (self.run)(table, &params);
            let factor = goal / outcome.nanoseconds.max(1) as f64;
            let next = (params.operations as f64 * factor) as u64;
            // A run near the goal predicts well; a much shorter one is mostly start-up.
            if factor < 2.0 {
                return next.max(self.least);
            }
            params.operations = (params.operations as f64 * factor.min(20.0)) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, QUICK, find};
    use crate::table::system;

    #[test]
    fn every_workload_runs_at_its_smallest() {
        let table = system();
        for workload in ALL.iter().filter(|workload| workload.scale <= 1_000_000) {
            let mut params = workload.params(0, workload.least);
            params.trace = None;
            let outcome = (workload.run)(&table, &params);
            assert!(outcome.operations > 0, "{}", workload.name);
        }
    }

    #[test]
    fn names_are_found_and_unique() {
        for workload in ALL {
            assert!(
                core::ptr::eq(find(workload.name).expect("listed"), workload),
                "{}",
                workload.name
            );
        }
        assert!(QUICK.iter().all(|name| find(name).is_some()));
    }

    #[test]
    fn memory_at_rest_is_not_for_a_quick_comparison() {
        let quick = QUICK.iter().filter_map(|name| find(name));
        assert!(quick.into_iter().all(|workload| workload.usual.is_none()));
        let resting = ALL.iter().filter(|workload| workload.purpose.reads_rest());
        assert!(
            resting
                .clone()
                .all(|workload| workload.name.starts_with("rest/"))
        );
        assert_eq!(resting.count(), 5);
    }

    #[test]
    fn one_thread_gives_one_checksum() {
        let table = system();
        for name in [
            "pair/64",
            "batch/1000",
            "replace/1e3",
            "tree/binary",
            "zero/small",
            "aligned",
        ] {
            let workload = find(name).expect("listed");
            let params = workload.params(1, workload.least);
            let first = (workload.run)(&table, &params);
            let second = (workload.run)(&table, &params);
            assert_eq!(first.checksum, second.checksum, "{name}");
        }
    }
}
