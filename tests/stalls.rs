//! What no call may cost: time that grows with the heap, and waiting for what another thread asks of the kernel.
//!
//! # Invariant
//!
//! Times are processor times, or the best of several; what another program on the machine does fails nothing.
#![cfg(not(any(miri, loom)))]

mod support;

use support::keeps_promise_with;

#[test]
fn calls_beside_a_large_heap_are_short() {
    for conf in ["", "purge_thread:on"] {
        keeps_promise_with(conf, "c/big_heap.c", &["time", "16", "131072"]);
    }
}

#[test]
fn small_calls_beside_a_large_heap_ask_for_no_pages() {
    keeps_promise_with("", "c/big_heap.c", &["faults", "16", "131072"]);
}

#[test]
fn calls_are_short_while_much_goes_back() {
    keeps_promise_with("", "c/burst_back.c", &[]);
}

#[test]
fn nobody_gives_back_what_another_thread_has_freed() {
    keeps_promise_with("", "c/freed_beside.c", &[]);
}

#[test]
fn a_trim_costs_what_the_kernel_takes_and_nobody_waits_for_it() {
    for conf in ["", "purge_thread:on", "purge_ms:never"] {
        keeps_promise_with(conf, "c/trim_beside_threads.c", &[]);
    }
}
