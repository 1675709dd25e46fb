//! Pools, as C programs use them that are linked to the library, shared or static.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::path::PathBuf;
use std::process::Command;
use support::{
    Finished, Heap, compile_with_header, full, fully_static, linked_to, linked_to_api, message_of,
    run,
};

const PATIENCE: Duration = Duration::from_secs(120);
const SIGABRT: i32 = 6;

#[test]
fn blocks_are_whole_aligned_and_apart() {
    keeps("blocks", &[]);
}

#[test]
fn limits_are_exact_and_hold_for_all_below() {
    keeps("limits", &[]);
}

#[test]
fn blocks_of_released_pools_stay_until_they_are_freed() {
    keeps("release", &[]);
}

#[test]
fn pools_cross_threads_and_forks() {
    keeps("threads", &[]);
}

#[test]
fn a_thread_takes_its_blocks_from_the_pool_that_it_pushed() {
    keeps("pushed", &[]);
    // Where every call is a debug mode's, and where some are.
    for conf in ["slab_debug:FZPU", "guard:1/8", "quarantine:1m", "zero:free"] {
        let mut command = Command::new(program("pushed", &linked_to()));
        command.env("SLUBMALLOC_CONF", conf);
        let finished = run(Heap::Libc, &mut command, PATIENCE);
        assert!(finished.is_ok(), "{conf}: {}", finished.stderr);
        let words = [
            "but the last that this thread pushed is",
            "has pushed none",
            "a thread ends that has pushed",
        ];
        assert!(
            words.iter().all(|words| finished.stderr.contains(words)),
            "{conf}: {}",
            finished.stderr
        );
    }
}

#[test]
fn a_pool_may_be_released_while_a_thread_takes_from_it() {
    keeps("raced", &[]);
}

#[test]
fn shrinkers_make_room_for_pools_that_have_no_memory() {
    let mut command = Command::new(program("relief", &linked_to()));
    command.env("SLUBMALLOC_CONF", "limit:64m");
    let finished = run(Heap::Libc, &mut command, PATIENCE);
    assert!(finished.is_ok(), "{}", finished.stderr);
}

#[test]
fn blocks_are_cleared_where_that_is_asked_for() {
    for conf in ["zero:free", "zero:alloc", "zero:free,zero:alloc"] {
        assert!(cleared(conf, &[]).is_ok(), "{conf}");
    }
    assert!(cleared("", &["stays"]).is_ok());
}

fn cleared(conf: &str, arguments: &[&str]) -> Finished {
    let mut command = Command::new(program("cleared", &linked_to()));
    command.args(arguments).env("SLUBMALLOC_CONF", conf);
    run(Heap::Libc, &mut command, PATIENCE)
}

#[test]
fn statistics_have_a_line_for_each_pool() {
    let finished = ran("stats", &linked_to(), Heap::Libc, &[]);
    assert!(finished.is_ok(), "{finished:?}");
    let of_pools = |line: &&str| line.starts_with("pool \"") || line.ends_with(" pools more");
    let lines: Vec<&str> = finished.stderr.lines().filter(of_pools).collect();
    assert_eq!(lines.len(), 101, "{lines:?}");
    assert_eq!(lines[0], "pool \"first\": 112 bytes in use, no limit");
    assert_eq!(
        lines[1],
        "pool \"second\\x0a\": 5120 bytes in use, limit 1048576"
    );
    assert_eq!(lines[100], "3 pools more");
}

#[test]
fn ten_thousand_pools_cost_little_and_leave_nothing() {
    keeps("many", &[if full() { "100" } else { "5" }]);
}

#[test]
fn a_pool_is_as_fast_as_malloc_and_faster_to_empty() {
    // Bars for a machine that does something else as well.
    let bars = if full() {
        ["1.0", "0.02"]
    } else {
        ["1.8", "0.05"]
    };
    assert!(ran("bars", &linked_to(), Heap::Libc, &bars).is_ok());
}

#[test]
fn wrong_calls_end_the_process_with_one_line() {
    for (what, words) in MISTAKES {
        let finished = ran("misuse", &linked_to(), Heap::Libc, &[what]);
        assert_eq!(
            finished.signal(),
            Some(SIGABRT),
            "{what}: {}",
            finished.stderr
        );
        let last = finished.stderr.lines().last().and_then(message_of);
        let is_right = last.is_some_and(|line| line.contains(words));
        assert!(is_right, "{what}: {}", finished.stderr);
    }
}

#[test]
fn wrong_calls_do_nothing_where_they_are_only_named() {
    for (what, words) in MISTAKES {
        let mut command = Command::new(program("misuse", &linked_to()));
        command.arg(what).env("SLUBMALLOC_CONF", "crime:warn");
        let finished = run(Heap::Libc, &mut command, PATIENCE);
        assert!(finished.is_ok(), "{what}: {}", finished.stderr);
        assert!(
            finished.report().contains(words),
            "{what}: {}",
            finished.stderr
        );
    }
}

/// What `misuse.c` does, and the words that tell it.
const MISTAKES: [(&str, &str); 24] = [
    ("wrong-pool", "of \"one\" was freed to \"two\""),
    ("wrong-pool-large", "of \"one\" was freed to \"two\""),
    ("wrong-realloc", "of \"one\" was freed to \"two\""),
    ("no-pool", "of no pool was freed to \"two\""),
    ("no-pool-huge", "of no pool was freed to \"two\""),
    ("nowhere", "of no pool was freed to \"two\""),
    ("interior", "interior pointer"),
    ("interior-free", "interior pointer"),
    ("interior-large", "interior pointer"),
    ("twice", "double free"),
    ("twice-free", "double free"),
    ("twice-large", "of no pool was freed to \"one\""),
    ("twice-far", "double free"),
    ("never-out", "invalid free"),
    ("destroyed", "use of a destroyed pool 0x"),
    ("destroyed-twice", "use of a destroyed pool 0x"),
    ("destroyed-reused", "use of a destroyed pool 0x"),
    ("destroyed-block", "of no pool was freed to \"two\""),
    ("released", "use of a destroyed pool 0x"),
    ("released-twice", "use of a destroyed pool 0x"),
    ("released-block-twice", "double free"),
    ("unknown", "unknown pool 0x"),
    ("null", "unknown pool 0x0"),
    ("parent", "use of a destroyed pool 0x"),
];

/// Runs a program in each way that it can have the library.
fn keeps(name: &str, arguments: &[&str]) {
    for flags in [linked_to(), fully_static(), linked_to_api()] {
        assert!(ran(name, &flags, Heap::Libc, arguments).is_ok());
    }
    // While a thread of its own gives memory back all the time.
    assert!(ran(name, &linked_to(), Heap::Purging, arguments).is_ok());
}

fn ran(name: &str, flags: &[String], heap: Heap, arguments: &[&str]) -> Finished {
    run(
        heap,
        Command::new(program(name, flags)).args(arguments),
        PATIENCE,
    )
}

fn program(name: &str, flags: &[String]) -> PathBuf {
    compile_with_header(&format!("pool/{name}.c"), flags)
}
