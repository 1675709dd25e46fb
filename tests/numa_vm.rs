//! Memory is where it belongs, on real nodes: `scripts/numa-vm.sh` boots machines with several and asks their kernel.
//!
//! # Invariant
//!
//! A machine passes only if it said so itself after its last check; the script sees to that.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::process::Command;
use support::{Heap, library, root, run, skipped, target};

/// Above the script's own limit for a machine, and with time to download what it boots.
const PATIENCE: Duration = Duration::from_secs(1400);

/// The script's way to say that tools are missing and could not be installed.
const NO_TOOLS: i32 = 77;

/// As much of the end of a log as one wants to read.
const TAIL_LINES: usize = 60;

#[test]
fn four_nodes_keep_their_memory_apart() {
    passes("four");
}

#[test]
fn nodes_without_processors_or_without_memory_are_served() {
    passes("cpuless");
}

#[test]
fn node_numbers_may_have_gaps() {
    passes("sparse");
}

#[test]
fn a_group_with_a_limit_gets_refusals_and_is_not_killed() {
    passes("limits");
}

#[test]
fn limits_of_the_first_kind_of_groups_are_known_too() {
    passes("limits_v1");
}

#[test]
fn strict_overcommit_is_lived_with() {
    passes("strict");
}

#[test]
fn sixteen_processors_are_served_by_two_clusters() {
    passes("clusters");
}

fn passes(machine: &str) {
    // Three scripts at once wait for one build.
    library();
    let finished = run(
        Heap::Libc,
        Command::new("bash")
            .arg(root().join("scripts/numa-vm.sh"))
            .args(["--only", machine])
            .env("CARGO_TARGET_DIR", target()),
        PATIENCE,
    );
    if finished.status.code() == Some(NO_TOOLS) {
        return skipped(finished.stderr.trim());
    }
    assert!(
        finished.status.success(),
        "{}\n{}\n{}",
        finished.status,
        tail(&finished.stdout),
        tail(&finished.stderr)
    );
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
