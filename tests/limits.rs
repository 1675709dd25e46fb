//! Limits under the built library: what they bind, what they leave room for, and what a refusal costs.
//!
//! # Invariant
//!
//! Costs are processor time as the programs count it themselves, with room for machines that are slow or busy.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::process::Command;
use support::{Finished, Heap, compile, run};

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_limit_on_address_space_set_later_binds_and_leaves_room() {
    for how in ["setrlimit", "setrlimit64", "prlimit", "prlimit64"] {
        keeps_promise("", "c/limited_later.c", &[how, "6144", "100", "1048576"]);
    }
}

#[test]
fn a_limit_on_address_space_set_later_binds_for_blocks_of_any_size() {
    for bytes in ["64", "3000", "5242880"] {
        keeps_promise("", "c/limited_later.c", &["setrlimit", "300", "20", bytes]);
    }
}

#[test]
fn a_limit_on_address_space_that_the_library_does_not_hear_of_binds() {
    keeps_promise("", "c/limited_later.c", &["kernel", "6144", "0", "1048576"]);
    keeps_promise("", "c/limited_later.c", &["kernel", "300", "0", "64"]);
}

#[test]
fn a_limit_on_data_set_later_binds() {
    keeps_promise("", "c/limited_later.c", &["data", "1024", "0", "1048576"]);
    keeps_promise("", "c/limited_later.c", &["data", "256", "0", "64"]);
}

#[test]
fn a_limit_set_later_binds_with_a_purge_thread_and_in_debug_modes() {
    for how in ["setrlimit", "kernel"] {
        let threads = if how == "kernel" { "0" } else { "20" };
        let arguments = [how, "512", threads, "3000"];
        for conf in [
            "purge_thread:on",
            "slab_debug:FZPU,kmalloc-64",
            "guard:1/10000",
        ] {
            keeps_promise(conf, "c/limited_later.c", &arguments);
        }
    }
}

#[test]
fn the_impossible_is_refused_at_no_cost() {
    keeps_promise("purge_ms:never", "c/refused_cheaply.c", &["impossible"]);
}

#[test]
fn a_program_out_of_memory_is_refused_at_little_cost() {
    keeps_promise("", "c/refused_cheaply.c", &["data", "400"]);
    keeps_promise("", "c/refused_cheaply.c", &["addresses", "400"]);
}

/// Compiles and runs a program under the library with this configuration, and expects its "ok".
fn keeps_promise(conf: &str, source: &str, arguments: &[&str]) {
    runs(conf, source, arguments).is_ok();
}

fn runs(conf: &str, source: &str, arguments: &[&str]) -> Finished {
    let mut command = Command::new(compile(source, &[]));
    command.args(arguments).env("SLUBMALLOC_CONF", conf);
    run(Heap::Slubmalloc, &mut command, PATIENCE)
}
