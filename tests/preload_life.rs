//! Early and late life under the built library: constructors, threads, forks, signals, limits, sandboxes.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::process::Command;
use support::{
    Heap, compile, compile_to, full, keeps_promise, keeps_promise_within, root, run, scratch,
};

/// For programs that do a lot, on a machine that does other things too.
const LONG: Duration = Duration::from_secs(180);

#[test]
fn constructors_destructors_and_threads_that_only_free_find_a_heap() {
    keeps_promise("c/early.c", &[]);
}

#[test]
fn libraries_are_opened_and_closed() {
    let plugin = compile("c/plugin.c", &["-shared", "-fPIC"]);
    keeps_promise(
        "c/open_and_close.c",
        &[plugin.to_str().expect("a plain path")],
    );
}

#[test]
fn destructors_of_libraries_find_a_heap_when_the_process_ends() {
    let dir = scratch("destructors");
    let library = dir.join("libkeeps.so");
    let source = root().join("tests/c/destructor_frees.c");
    compile_to(&library, &[&source], &["-shared", "-fPIC"]);
    let program = dir.join("program");
    let linked = library.to_str().expect("a plain path");
    let rpath = format!("-Wl,-rpath,{}", dir.display());
    compile_to(&program, &[&source], &["-DPROGRAM", linked, &rpath]);
    for conf in ["", "purge_thread:on", "slab_debug:FZPU"] {
        let mut command = Command::new(&program);
        command.env("SLUBMALLOC_CONF", conf);
        let ended = run(Heap::Slubmalloc, &mut command, LONG);
        assert!(
            ended.is_ok() && ended.stderr == "freed",
            "{conf}: {}",
            ended.stderr
        );
    }
}

#[test]
fn the_user_changes_while_the_purge_thread_sleeps() {
    let mut command = Command::new(compile("c/changes_user.c", &[]));
    command.env("SLUBMALLOC_CONF", "purge_thread:on");
    run(Heap::Slubmalloc, &mut command, LONG).is_ok();
}

#[test]
fn a_hundred_thousand_threads_leave_nothing_behind() {
    keeps_promise_within(LONG, "c/thread_churn.c", &[]);
}

#[test]
fn a_thousand_threads_with_a_block_each_stay_small() {
    keeps_promise("c/many_threads.c", &[]);
}

#[test]
fn fork_among_busy_threads_never_deadlocks() {
    keeps_promise_within(LONG, "c/fork_storm.c", &[]);
}

#[test]
fn fork_among_threads_that_hold_streams_never_deadlocks() {
    keeps_promise_within(LONG, "c/fork_and_streams.c", &[]);
}

#[test]
fn blocks_of_every_size_survive_threads_that_pass_them_on() {
    keeps_promise("c/torture.c", &["8"]);
}

#[test]
fn a_starved_program_fails_softly() {
    keeps_promise("c/starved.c", &[]);
}

#[test]
fn children_of_every_kind_have_a_heap() {
    keeps_promise("c/fork_and_spawn.c", &[]);
}

#[test]
fn an_address_space_limited_before_the_start_is_lived_in() {
    keeps_promise("c/limits.c", &["as", "256", "exec"]);
}

#[test]
fn an_address_space_of_100_mib_is_lived_in() {
    keeps_promise("c/limits.c", &["as", "100", "exec"]);
}

#[test]
fn an_address_space_limited_in_flight_is_lived_in() {
    keeps_promise("c/limits.c", &["as", "256", "self"]);
}

#[test]
fn a_data_limit_set_before_the_start_is_lived_in() {
    keeps_promise("c/limits.c", &["data", "256", "exec"]);
}

#[test]
fn a_data_limit_set_in_flight_is_lived_in() {
    keeps_promise("c/limits.c", &["data", "256", "self"]);
}

#[test]
fn mlockall_makes_little_more_resident_than_under_libc() {
    let program = compile("c/locked.c", &[]);
    let Some(ours) = kib_printed_by(run(Heap::Slubmalloc, &mut Command::new(&program), LONG))
    else {
        return;
    };
    let libcs = kib_printed_by(run(
        Heap::Libc,
        Command::new(&program).env("SLUBTEST_ALLOW_LIBC", "1"),
        LONG,
    ));
    let libcs = libcs.expect("what could be asked once can be asked twice");
    assert!(
        ours <= libcs + 16 * 1024,
        "{ours} KiB resident; {libcs} KiB under libc"
    );
}

#[test]
fn the_commit_charge_is_sane() {
    let program = compile("c/committed.c", &[]);
    let ours = kib_printed_by(run(Heap::Slubmalloc, &mut Command::new(&program), LONG));
    let libcs = kib_printed_by(run(
        Heap::Libc,
        Command::new(&program).env("SLUBTEST_ALLOW_LIBC", "1"),
        LONG,
    ));
    let (ours, libcs) = (
        ours.expect("always askable"),
        libcs.expect("always askable"),
    );
    assert!(
        ours <= libcs + 64 * 1024,
        "{ours} KiB charged; {libcs} KiB under libc"
    );
}

#[test]
fn system_calls_that_fail_are_survived() {
    for denied in [
        &["mmap"][..],
        &["munmap"],
        &["mremap"],
        &["mprotect"],
        &["madvise"],
        &["prctl"],
        &["futex"],
        &["mbind", "getcpu"],
        &["clone3"],
        &["mmap", "mprotect"],
        &["munmap", "madvise"],
        &[
            "mmap", "munmap", "mremap", "mprotect", "madvise", "prctl", "futex", "mbind", "getcpu",
        ],
    ] {
        keeps_promise("c/denied.c", denied);
    }
}

#[test]
fn a_seccomp_sandbox_entered_after_the_start_is_survived() {
    keeps_promise("c/sandbox.c", &["asked"]);
    // One that allows not even the question must be spared it.
    run(
        Heap::Slubmalloc,
        Command::new(compile("c/sandbox.c", &[])).env("SLUBMALLOC_CONF", "purge_thread:off"),
        LONG,
    )
    .is_ok();
}

#[test]
fn all_pthread_keys_belong_to_the_program() {
    keeps_promise("c/keys.c", &[]);
}

#[test]
fn a_storm_of_signals_changes_nothing() {
    keeps_promise("c/interrupted.c", &[]);
}

#[test]
fn cancelled_threads_leave_the_heap_whole() {
    keeps_promise("c/cancelled.c", &[]);
}

#[test]
fn exit_while_other_threads_allocate_is_clean() {
    for _ in 0..10 {
        keeps_promise("c/leave.c", &["exit"]);
        keeps_promise("c/leave.c", &["quick"]);
    }
}

#[test]
fn the_main_thread_may_leave_first() {
    for _ in 0..10 {
        keeps_promise("c/leave.c", &["main"]);
    }
}

#[test]
fn what_one_thread_allocates_and_another_frees_comes_back() {
    let objects = if full() { "100000000" } else { "10000000" };
    keeps_promise_within(Duration::from_secs(600), "c/queue.c", &[objects]);
}

/// The number of KiB in the program's first line, unless it could not be asked.
fn kib_printed_by(finished: support::Finished) -> Option<u64> {
    finished.is_ok().then(|| {
        let first = finished.stdout.lines().next().expect("a first line");
        first.parse().expect("a number of KiB")
    })
}
