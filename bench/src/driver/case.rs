//! One row of a comparison: a workload, its threads and processors, and the trace it replays.

use std::path::{Path, PathBuf};

use crate::workloads::{ALL, Purpose, QUICK, Workload, find};

/// What is to be run under every allocator.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name in reports.
    pub name: String,
    /// The workload.
    pub workload: &'static Workload,
    /// Threads; zero for the workload's own choice.
    pub threads: usize,
    /// The number of processors; zero for all.
    pub cores: usize,
    /// The trace to replay.
    pub trace: Option<PathBuf>,
}

/// Which cases to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those of a quick comparison.
    Quick,
    /// All of them, and every trace.
    All,
}

/// The cases of a selection; traces are the `.trace` files in `traces`.
#[must_use]
pub fn cases(selection: Selection, traces: &Path) -> Vec<Case> {
    let names = match selection {
        Selection::Quick => {
            return QUICK
                .iter()
                .filter_map(|name| find(name))
                .map(Case::of)
                .collect();
        }
        Selection::All => ALL.iter(),
    };
    let (replay, others): (Vec<_>, Vec<_>) = names.partition(|workload| workload.name == "trace");
    let mut cases: Vec<_> = others.into_iter().map(Case::of).collect();
    for workload in replay {
        cases.extend(recorded(traces).into_iter().map(|path| Case {
            name: format!(
                "trace/{}",
                path.file_stem().unwrap_or_default().to_string_lossy()
            ),
            trace: Some(path),
            ..Case::of(workload)
        }));
    }
    cases
}

impl Case {
    /// The workload as it comes.
    #[must_use]
    pub fn of(workload: &'static Workload) -> Self {
        Self {
            name: workload.name.into(),
            workload,
            threads: 0,
            cores: 0,
            trace: None,
        }
    }

    /// Its part of the time that there is, an ordinary case's being one: it may wait, or run for long.
    #[must_use]
    pub fn weight(&self) -> u32 {
        match (self.workload.purpose, self.workload.usual) {
            (Purpose::RestAndTime, _) => 8,
            (_, Some(_)) => 2,
            _ => 1,
        }
    }

    /// The same on the first `cores` processors.
    #[must_use]
    pub fn on(mut self, cores: usize) -> Self {
        self.cores = cores;
        if cores > 0 {
            self.name = format!("{} @{cores}", self.name);
        }
        self
    }

    /// The same with another number of threads.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        if threads > 0 {
            self.name = format!("{} x{threads}", self.name);
        }
        self
    }
}

fn recorded(traces: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(traces).into_iter().flatten().flatten();
    let is_trace = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "trace");
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).filter(is_trace).collect();
    paths.sort();
    paths
}
