//! Threads that come and go: no lock of the loader's or libc's is taken because of them, none leaves a cache behind, none is
//! outlived by a thread of the heap's, and a plug-in that brings the heap along leaves nothing when it is closed.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use support::{Finished, Heap, cargo_build, compile, full, run, target};

const PATIENCE: Duration = Duration::from_secs(300);

/// What everything is tried with.
const CONFIGURATIONS: [&str; 3] = ["", "purge_thread:on", "slab_debug:FZPU"];

/// Create and join may cost this many times what they cost under libc's heap.
const MOST_RATIO: f64 = 1.2;
/// The machine does other things too: the best of this many tries counts.
const TRIES: usize = 5;

#[test]
fn constructors_and_destructors_wait_for_threads_that_are_born() {
    for variant in 0..3 {
        let flag = format!("-DVARIANT={variant}");
        let library = compile("c/loader_library.c", &["-shared", "-fPIC", &flag]);
        for configuration in CONFIGURATIONS {
            let mut command = Command::new(compile("c/loader_lock.c", &["-rdynamic"]));
            command
                .arg(&library)
                .arg(if full() { "1000" } else { "60" });
            is_ok(command, configuration);
        }
    }
}

#[test]
fn after_a_storm_there_are_as_many_caches_as_threads() {
    for (load, births) in [("2", "4000"), ("8", "1000")] {
        for configuration in CONFIGURATIONS {
            // The debug modes do much for each block.
            let births = if configuration.contains("debug") {
                "300"
            } else {
                births
            };
            let configuration = format!("{configuration},stats:exit");
            let mut command = Command::new(compile("c/ends_under_load.c", &[]));
            command.args([load, births]);
            let living = load.parse::<usize>().expect("a number") + 1;
            assert_eq!(caches_in(&is_ok(command, &configuration)), living);
        }
    }
}

#[test]
fn without_a_key_caches_come_back_as_well() {
    let mut command = Command::new(compile("c/ends_under_load.c", &[]));
    command.args(["2", "4000", "keyless"]);
    assert_eq!(caches_in(&is_ok(command, "stats:exit")), 3);
}

#[test]
fn destructors_of_keys_may_allocate_as_long_as_they_are_called() {
    for configuration in [
        "stats:exit",
        "purge_thread:on,stats:exit",
        "slab_debug:FZPU,stats:exit",
    ] {
        let finished = is_ok(
            Command::new(compile("c/late_destructors.c", &[])),
            configuration,
        );
        assert_eq!(caches_in(&finished), 1);
    }
}

#[test]
fn a_thread_beside_busy_ones_costs_what_it_costs_under_libc() {
    let program = compile("c/ends_under_load.c", &[]);
    let measure = |heap| {
        let mut command = Command::new(&program);
        command.args(["2", "3000"]);
        command.env("SLUBTEST_ALLOW_LIBC", "1");
        let finished = run(heap, &mut command, PATIENCE);
        assert!(finished.is_ok(), "this can be asked anywhere");
        let nanoseconds = finished.stdout.lines().next().expect("a first line");
        nanoseconds.parse::<f64>().expect("a number")
    };
    let mut best = f64::INFINITY;
    for _ in 0..TRIES {
        let (libcs, ours) = (measure(Heap::Libc), measure(Heap::Slubmalloc));
        println!("{ours} ns of processor time, {libcs} under libc");
        best = best.min(ours / libcs);
        if best <= MOST_RATIO {
            return;
        }
    }
    panic!("{best:.2} times as much as under libc");
}

#[test]
fn the_process_ends_when_its_first_thread_has_left_and_the_others_have_ended() {
    for configuration in CONFIGURATIONS {
        let mut command = Command::new(compile("c/ends_under_load.c", &[]));
        command.args(["2", "200", "leave"]);
        is_ok(command, configuration);
    }
}

#[test]
fn the_last_other_thread_is_outlived_by_nothing() {
    for words in [&["0"][..], &["2"], &["0", "requests"], &["2", "requests"]] {
        let mut command = Command::new(compile("c/last_other.c", &[]));
        command.args(words);
        let finished = run(Heap::Slubmalloc, &mut command, PATIENCE);
        print!("{words:?}: {}", finished.stdout);
        finished.is_ok();
    }
}

#[test]
fn a_plug_in_that_is_closed_leaves_nothing() {
    let rounds = if full() { "10000" } else { "1000" };
    is_closed_cleanly("", rounds, "plain");
    is_closed_cleanly("purge_thread:on", "200", "plain");
    is_closed_cleanly("", "200", "leak");
}

#[test]
fn a_program_may_end_with_its_plug_in_in_use() {
    for _ in 0..20 {
        is_closed_cleanly("", "1", "stay");
    }
}

#[test]
fn a_plug_in_without_a_key_lets_its_threads_live_on() {
    is_closed_cleanly("", "200", "keyless");
    is_closed_cleanly("purge_thread:on", "50", "keyless");
}

/// Runs a program that opens and closes the plug-in, which has the heap to itself.
fn is_closed_cleanly(configuration: &str, rounds: &str, mode: &str) {
    let mut command = Command::new(compile("c/plugin_host.c", &[]));
    command.arg(plugin()).args([rounds, mode]);
    command.env("SLUBMALLOC_CONF", configuration);
    let finished = run(Heap::Libc, &mut command, PATIENCE);
    print!("{configuration:?} {mode}: {}", finished.stdout);
    finished.is_ok();
    assert!(finished.stderr.is_empty(), "{}", finished.stderr);
}

/// The Rust plug-in, built once.
fn plugin() -> &'static Path {
    static PLUGIN: OnceLock<PathBuf> = OnceLock::new();
    PLUGIN.get_or_init(|| {
        let into = target().join("plugin");
        let manifest = "tests/plugin/Cargo.toml";
        cargo_build(&["--release", "--manifest-path", manifest], &into);
        into.join("release/libplugin.so")
    })
}

/// Runs a program under the library, which says "ok" in the end.
fn is_ok(mut command: Command, configuration: &str) -> Finished {
    command.env("SLUBMALLOC_CONF", configuration);
    let finished = run(Heap::Slubmalloc, &mut command, PATIENCE);
    assert!(finished.is_ok(), "this can be asked anywhere");
    finished
}

/// The threads with a cache, in the statistics at exit.
fn caches_in(finished: &Finished) -> usize {
    let line = finished
        .stderr
        .lines()
        .find(|line| line.contains("threads with a cache"));
    let words = line.and_then(|line| line.split_whitespace().next_back());
    words
        .and_then(|number| number.parse().ok())
        .expect("a number of threads")
}
