//! Storms: programs that do one hard thing thousands of times from many threads, and look at the contents of all their
//! blocks. Here in small; `scripts/soak.sh` runs them at full length.
//!
//! # Invariant
//!
//! A storm also passes on libc's heap, so what it finds is ours; and it fails on a heap with the fault that it looks
//! for, so what it does not find is not there.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::path::PathBuf;
use std::process::Command;
use support::{Finished, Heap, compile, full, root, run};

/// Longer than a storm's own watchdog.
const PATIENCE: Duration = Duration::from_secs(900);

/// What every storm runs on.
const HEAPS: [Heap; 3] = [Heap::Slubmalloc, Heap::Purging, Heap::Libc];

/// Configurations that a few storms are tried in as well: a line here is all that a new one needs. The soak has a list of
/// its own.
const CONFIGURATIONS: &[&str] = &[
    "purge_ms:0",
    "preset:tiny",
    "purge_ms:83,purge_thread:on",
    "thp:always,reuse:0",
    "thp:auto",
    "limit:1g",
    "clusters:2",
    "slab_debug:FZP",
    "guard:1/50,quarantine:1m,zero:free",
];

/// A program, and how often it does what it does.
struct Storm {
    source: &'static str,
    few: usize,
    full: usize,
    libraries: usize,
}

const fn storm(source: &'static str, few: usize, full: usize) -> Storm {
    Storm {
        source,
        few,
        full,
        libraries: 0,
    }
}

const FORK: Storm = storm("c/storm_fork.c", 250, 10_000);
const THREADS: Storm = storm("c/storm_threads.c", 20_000, 100_000);
const SIGNALS: Storm = storm("c/storm_signals.c", 10_000, 200_000);
const PLUGINS: Storm = Storm {
    libraries: 3,
    ..storm("c/storm_plugins.c", 2_000, 50_000)
};
const SPAWN: Storm = storm("c/storm_spawn.c", 300, 10_000);
const LIMITS: Storm = storm("c/storm_limits.c", 12, 200);
const CANCEL: Storm = storm("c/storm_cancel.c", 600, 10_000);
const REPORTS: Storm = storm("c/storm_reports.c", 120, 1_200);
const EXITS: Storm = storm("c/storm_exits.c", 24, 1_000);
const SERVER: Storm = storm("c/storm_server.c", 2, 60);

/// The storms for the list of configurations: threads, children, and all kinds of requests.
const SUBSET: [(&Storm, usize); 4] = [(&FORK, 60), (&THREADS, 4_000), (&CANCEL, 600), (&EXITS, 8)];

#[test]
fn sixteen_threads_fork_at_once() {
    passes_on_all(&FORK);
}

#[test]
fn threads_come_and_go_and_free_what_others_made() {
    passes_on_all(&THREADS);
}

#[test]
fn signals_meet_threads_in_the_heap() {
    passes_on_all(&SIGNALS);
}

#[test]
fn plugins_are_opened_and_closed_by_several_threads() {
    passes_on_all(&PLUGINS);
}

#[test]
fn children_are_spawned_while_others_allocate() {
    passes_on_all(&SPAWN);
}

#[test]
fn limits_are_squeezed_and_let_go() {
    passes_on_all(&LIMITS);
}

#[test]
fn cancelled_threads_clean_up() {
    passes_on_all(&CANCEL);
}

#[test]
fn reports_are_made_while_others_allocate() {
    passes_on_all(&REPORTS);
}

#[test]
fn ends_of_threads_and_processes_find_a_heap() {
    passes_on_all(&EXITS);
}

#[test]
fn a_server_with_drifting_sizes_stays_level() {
    passes_on_all(&SERVER);
}

#[test]
fn every_configuration_weathers_a_few_storms() {
    for configuration in CONFIGURATIONS {
        for (storm, amount) in SUBSET {
            let mut command = storm.command(amount);
            command.env("SLUBMALLOC_CONF", configuration);
            is_calm(&run(Heap::Slubmalloc, &mut command, PATIENCE));
        }
    }
}

#[test]
fn each_storm_notices_the_fault_that_it_looks_for() {
    notices(&FORK, "NONE", 40, None);
    notices(&FORK, "LOCKED", 100, Some("hung"));
    notices(&THREADS, "TWICE", 3_000, Some("CHECK("));
    notices(&THREADS, "LOSES", 50_000, Some("late <= most"));
    notices(&SIGNALS, "INTERRUPTED", 10_000, Some("block.at != NULL"));
    notices(&SIGNALS, "STRAY_THREAD", 10_000, Some("alternate != NULL"));
    notices(&PLUGINS, "TWICE", 2_000, Some("CHECK("));
    notices(&SPAWN, "TWICE", 300, Some("CHECK("));
    notices(&LIMITS, "WRONG_ERRNO", 12, Some("errno == ENOMEM"));
    notices(&LIMITS, "LOST_ON_FAIL", 12, Some(""));
    notices(&CANCEL, "POINT", 600, Some("live == 0"));
    notices(&CANCEL, "LOSES", 1_000, Some("late <= most"));
    notices(&REPORTS, "WRAPPED", 60, Some("bytes < 1024 * GIB"));
    notices(&REPORTS, "TOO_USABLE", 60, Some(""));
    notices(&EXITS, "LONG_FRAME", 4, Some("!WIFSIGNALED(status)"));
    notices(&EXITS, "DIES_EARLY", 4, Some("block.at != NULL"));
    notices(&SERVER, "TWICE", 2, Some("CHECK("));
}

impl Storm {
    fn command(&self, amount: usize) -> Command {
        let mut command = Command::new(compile(self.source, &[]));
        command.arg(amount.to_string()).args(self.plugins());
        command
    }

    /// Libraries that differ only in their path, which is how the loader tells them apart.
    fn plugins(&self) -> Vec<PathBuf> {
        (0..self.libraries)
            .map(|number| {
                let number = format!("-DNUMBER={number}");
                compile("c/storm_plugin.c", &["-shared", "-fPIC", &number])
            })
            .collect()
    }
}

fn passes_on_all(storm: &Storm) {
    for heap in HEAPS {
        let mut command = storm.command(if full() { storm.full } else { storm.few });
        if heap == Heap::Libc {
            command.env("SLUBTEST_ALLOW_LIBC", "1");
        }
        is_calm(&run(heap, &mut command, PATIENCE));
    }
}

/// The storm is over, found nothing, and the library had nothing to say.
fn is_calm(finished: &Finished) {
    assert!(finished.is_ok(), "a storm asks nothing of the machine");
    assert!(finished.stderr.is_empty(), "{}", finished.stderr);
}

/// The storm, on libc's heap with a fault in it, fails and says so with these words; without, it passes.
fn notices(storm: &Storm, fault: &str, amount: usize, words: Option<&str>) {
    let faulty = root().join("tests/c/storm_faulty.c");
    let fault_flag = format!("-DFAULT={fault}");
    let flags = [
        "-DPATIENCE_SECONDS=4",
        &fault_flag,
        faulty.to_str().expect("a plain path"),
    ];
    let mut command = Command::new(compile(storm.source, &flags));
    command.arg(amount.to_string()).args(storm.plugins());
    command.env("SLUBTEST_ALLOW_LIBC", "1");
    let finished = run(Heap::Libc, &mut command, PATIENCE);
    let Some(words) = words else {
        return is_calm(&finished);
    };
    assert!(
        !finished.status.success() && finished.stderr.contains(words),
        "{} with {fault}: {}\nstdout:\n{}\nstderr:\n{}",
        storm.source,
        finished.status,
        finished.stdout,
        finished.stderr
    );
}
