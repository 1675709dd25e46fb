//! Blocks above 4 MiB, and large ones in arenas: how many mappings they cost, what they inherit, and who waits for whom.
//!
//! # Invariant
//!
//! Mappings are counted, and stalls are judged by the calls that are made, not by a clock.
#![cfg(not(any(miri, loom)))]

mod support;

use support::{keeps_promise_with, run_with};

#[test]
fn every_other_block_freed_leaves_mappings_for_the_program() {
    keeps_promise_with("", "c/huge_mappings.c", &["every-other"]);
}

#[test]
fn blocks_that_come_and_go_at_random_leave_mappings() {
    keeps_promise_with("", "c/huge_mappings.c", &["at-random"]);
}

#[test]
fn blocks_that_grow_leave_mappings() {
    keeps_promise_with("", "c/huge_mappings.c", &["growing"]);
}

#[test]
fn aligned_blocks_leave_mappings() {
    keeps_promise_with("", "c/huge_mappings.c", &["aligned"]);
}

#[test]
fn blocks_beside_mappings_of_the_program_leave_some() {
    keeps_promise_with("", "c/huge_mappings.c", &["between"]);
}

#[test]
fn blocks_that_were_protected_leave_mappings() {
    keeps_promise_with("", "c/huge_mappings.c", &["protected"]);
}

#[test]
fn short_blocks_that_are_mappings_leave_some() {
    keeps_promise_with("", "c/huge_mappings.c", &["mapped-early"]);
    keeps_promise_with("purge_thread:on", "c/huge_mappings.c", &["mapped-early"]);
}

#[test]
fn blocks_that_change_in_steps_are_as_long_as_asked() {
    // The modes that watch blocks copy them each time.
    for (conf, rounds) in [
        ("", "20000"),
        ("purge_thread:on", "20000"),
        ("slab_debug:FZP", "100"),
    ] {
        keeps_promise_with(conf, "c/huge_steps.c", &[rounds]);
    }
}

#[test]
fn a_block_that_changes_hands_at_once_is_like_any_other() {
    for conf in ["", "purge_thread:on", "purge_ms:8", "limit:2g"] {
        keeps_promise_with(conf, "c/handed_on.c", &["3000"]);
    }
    // Nothing is kept, or every byte is written.
    for conf in ["reuse:0", "preset:tiny", "zero:free"] {
        keeps_promise_with(conf, "c/handed_on.c", &["50"]);
    }
}

#[test]
fn a_block_that_is_freed_twice_while_it_waits_is_named() {
    let finished = run_with("", "c/handed_on.c", &["twice"]);
    assert!(!finished.status.success());
    assert!(
        finished.stderr.contains("double free"),
        "{}",
        finished.stderr
    );
}

#[test]
fn what_a_program_did_to_a_huge_block_ends_with_it() {
    for configuration in ["", "purge_thread:on", "thp:never", "thp:always"] {
        keeps_promise_with(configuration, "c/huge_advice.c", &["2"]);
    }
}

#[test]
fn what_a_program_did_to_a_block_in_an_arena_ends_with_it() {
    for configuration in ["", "purge_thread:on"] {
        keeps_promise_with(configuration, "c/huge_advice.c", &["5"]);
    }
}

#[test]
fn a_sealed_block_is_lost_and_counted() {
    let finished = run_with("", "c/huge_advice.c", &["sealed"]);
    finished.is_ok();
    let lost = finished
        .stderr
        .lines()
        .find(|line| line.contains("sealed and lost"));
    let lost = lost.expect("statistics").split_whitespace().next_back();
    let kibibytes: usize = lost.expect("a column").parse().expect("a number");
    assert!(kibibytes >= 4 << 10, "{}", finished.stderr);
}
