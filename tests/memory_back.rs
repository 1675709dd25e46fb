//! Memory goes back to the system: what a program does not need, when, by whom, and on whose word it stays.
//!
//! # Invariant
//!
//! Resident memory is what the programs read about themselves; a promise has the time that the
//! documentation gives it, and some more, since machines that test do other things too.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::process::Command;
use support::{Heap, compile, keeps_promise_with, run, run_with};

#[test]
fn what_one_thread_frees_goes_and_no_thread_comes() {
    keeps_promise_with("", "c/burst.c", &[]);
}

#[test]
fn what_sleeping_threads_have_freed_goes() {
    keeps_promise_with("", "c/sleepers.c", &["auto", "128", "65536"]);
}

#[test]
fn what_sleeping_threads_have_freed_of_small_objects_goes() {
    keeps_promise_with("", "c/sleepers.c", &["auto", "128", "512"]);
}

#[test]
fn what_was_freed_at_once_goes() {
    keeps_promise_with("", "c/freed_at_once.c", &["500", "1024"]);
    keeps_promise_with("", "c/freed_at_once.c", &["10000", "32"]);
}

#[test]
fn what_was_mapped_and_freed_at_once_goes() {
    keeps_promise_with("", "c/freed_at_once.c", &["4", "10240"]);
}

#[test]
fn without_a_purge_thread_memory_goes_with_the_next_mallocs() {
    keeps_promise_with("purge_thread:off", "c/sleepers.c", &["off", "128", "65536"]);
}

#[test]
fn a_forked_child_gets_a_purge_thread_when_it_needs_one() {
    keeps_promise_with("", "c/fork_and_purge.c", &[]);
}

#[test]
fn what_300_sleeping_threads_have_at_hand_goes() {
    keeps_promise_with("", "c/parked.c", &[]);
}

#[test]
fn threads_that_only_free_keep_little() {
    // 20 MiB, but up to 90 where a busy machine interrupts threads with what they hold; once it was 300.
    keeps_promise_with("", "c/others_free.c", &["400", "112"]);
    keeps_promise_with("", "c/others_free.c", &["40", "160"]);
}

#[test]
fn malloc_trim_reaches_other_threads_and_says_what_it_did() {
    keeps_promise_with("purge_ms:never", "c/trimmed.c", &[]);
}

#[test]
fn pages_between_the_few_that_stay_go_and_come_again() {
    keeps_promise_with("", "c/survivors.c", &[]);
}

#[test]
fn purging_all_the_time_changes_nothing_for_anybody() {
    keeps_promise_with("purge_ms:8,purge_thread:on", "c/torture.c", &["8", "60"]);
}

#[test]
fn a_limit_refuses_and_does_not_kill() {
    for bytes in ["100", "10240", "1048576", "10485760"] {
        run_with("limit:64m", "numa/endless.c", &["limit", "64", bytes]).succeeded();
    }
}

#[test]
fn huge_pages_are_where_they_are_wanted() {
    for choice in ["system", "never", "always", "auto"] {
        keeps_promise_with(&format!("thp:{choice}"), "c/huge_pages.c", &[choice]);
    }
}

#[test]
fn huge_pages_are_for_what_is_used_as_a_whole() {
    for choice in ["sparse", "thinned"] {
        keeps_promise_with("thp:auto,purge_thread:on", "c/sparse.c", &[choice]);
    }
}

#[test]
fn mallopt_says_what_stays_and_what_is_mapped() {
    keeps_promise_with("", "c/kept.c", &["mallopt", "16"]);
}

#[test]
fn memory_may_stay_for_ever_or_go_at_once() {
    keeps_promise_with("purge_ms:never", "c/kept.c", &["never", "16"]);
    keeps_promise_with("purge_ms:0", "c/kept.c", &["zero", "16"]);
}

#[test]
fn a_block_that_grows_is_moved_and_not_copied() {
    keeps_promise_with("", "c/growth.c", &[]);
}

#[test]
fn no_thread_is_started_where_libc_frees() {
    keeps_promise_with("", "c/joined.c", &[]);
}

#[test]
fn a_process_ends_with_its_last_thread() {
    for configuration in ["", "purge_thread:on"] {
        keeps_promise_with(configuration, "c/last_thread.c", &[]);
    }
}

#[test]
fn below_a_limit_nobody_is_refused() {
    keeps_promise_with("limit:256m", "c/takers.c", &[]);
}

/// What a small program of 100 objects has for itself, beyond what it has with libc's allocator.
#[test]
fn a_small_program_stays_small() {
    let own = |heap, conf: &str| {
        let mut command = Command::new(compile("c/few_objects.c", &[]));
        command.env("SLUBMALLOC_CONF", conf);
        let text = run(heap, &mut command, Duration::from_secs(60)).stdout;
        text.trim().parse::<usize>().expect("KiB")
    };
    let libc = own(Heap::Libc, "");
    for (conf, most) in [("", 160), ("preset:tiny", 144)] {
        let here = own(Heap::Slubmalloc, conf);
        println!("{conf}: {here} KiB, with libc {libc}");
        assert!(here <= libc + most, "{conf}: {here} KiB, with libc {libc}");
    }
}

/// Slabs and large blocks lie in pageblocks of their own, so what was freed of both is in longer pieces: of free memory
/// so much can serve 2 MiB at once.
#[test]
fn blocks_that_come_and_go_leave_memory_in_one_piece() {
    for percent in ["2", "10"] {
        let finished = run_with("purge_ms:never", "c/mixed_lives.c", &[percent]);
        assert!(finished.is_ok());
        let stats = &finished.stderr;
        let is_indexes = |line: &&str| line.starts_with("Node 0") && line.contains('.');
        let line = stats.lines().find(is_indexes).expect("a node's line");
        let unusable: Vec<f64> = line
            .split_whitespace()
            .filter_map(|word| word.parse().ok().filter(|_| word.contains('.')))
            .collect();
        println!("{percent} percent stay: {line}");
        assert!(unusable[9] <= 0.6, "{percent} percent stay: {line}");
    }
}
