//! Forks: what they cost, where they may happen, and what a child finds.
#![cfg(not(any(miri, loom)))]

mod support;

use core::time::Duration;
use std::process::Command;
use support::{Heap, compile, keeps_promise, run};

/// For programs that fork a lot, on a machine that does other things too.
const LONG: Duration = Duration::from_secs(300);

#[test]
fn a_fork_costs_nothing_for_the_heaps_sake() {
    keeps_promise("c/fork_costs.c", &["50"]);
}

#[test]
fn a_child_does_not_make_up_for_what_its_parent_did_not_give_back() {
    keeps_promise("c/fork_costs.c", &["due"]);
}

#[test]
fn a_fork_of_one_thread_makes_no_system_call_of_the_heaps() {
    keeps_promise("c/fork_costs.c", &["sealed"]);
}

#[test]
fn a_handler_that_interrupted_the_heap_may_fork() {
    for conf in ["", "purge_thread:on", "slab_debug:FZPU"] {
        let mut program = Command::new(compile("c/fork_in_handler.c", &[]));
        program.env("SLUBMALLOC_CONF", conf);
        run(Heap::Slubmalloc, &mut program, LONG).is_ok();
    }
}

#[test]
fn a_handler_may_allocate_during_the_first_malloc() {
    keeps_promise("c/handler_at_first_use.c", &[]);
}
