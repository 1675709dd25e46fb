//! Models of the protocols between threads, on the library's own files: `floors/lib.rs` compiles `sync`, `arena`, `slab`,
//! `huge`, `heap`, `cache`, `kmem`, `pool` and the purge thread as they are. `cargo test --manifest-path tests/models/Cargo.toml`, a
//! part of `scripts/test.sh`.
//!
//! # What is real and what is not
//!
//! Every atomic of a shipped file is loom's while threads share the world (`core/src/sync/atomic.rs`), with the ordering
//! that the file asks for. What the floor `sys` asks of the kernel is simulated (`core/src/world.rs`): a futex looks and
//! sleeps in one step; memory that is committed may be used by threads that can know of it; memory that is given back is
//! written to, so loom finds a thread that still owns it. Pages and objects have a content that loom watches: a page or object that
//! two threads own, or that changes hands without order, is a race. A fork goes on in a copy of the memory with one
//! thread; if that waits, it waits for ever.
//!
//! What a fast path reads without an atomic load is the newest value. The slots of sheaves are plain memory; the
//! detaching them is modelled in `models.rs`. A kernel's wake orders what is before it with what the woken does. Stores to
//! 32-bit words are exchanges, see there. Nobody spins before sleeping.
//!
//! # Bounds
//!
//! A load sees any of the last seven stores that it may see. Two threads unless a test says three; the purge thread is one
//! more. One or two calls for each thread. All orders with a bounded number of preemptions of a thread that could go on:
//!
//! | scenario | preemptions |
//! |---|---|
//! | lock and first use, two threads | any number |
//! | lock and first use or a fork, three threads | 2 |
//! | fork and a lock, two threads | 3 |
//! | arena, slabs, tables, sheaves, aliens, registry, limit, pools | 2 |
//! | mailbox: one writer, two writers, and the purge thread | 3, 2, 0 |
//! | registry and fork, purge thread, named caches | 1 |
//!
//! # Mistakes
//!
//! The tests that must find something make one mistake each: in a scenario, or in the world (`Fault`).
#![forbid(unsafe_code)]

use std::process::Command;

use floors::{Fault, caches, global, limits, locks, memory, named, pools};

/// Names the mistake that a test makes in a process of its own.
const MISTAKE: &str = "SLUBMALLOC_MODELS_MISTAKE";

/// There was more than one order, or the threads of the scenario do not meet.
#[track_caller]
fn meet(orders: usize) {
    println!("{orders} orders");
    assert!(orders > 1, "threads meet");
}

#[test]
fn one_thread_at_a_time_has_a_lock_and_none_waits_for_ever() {
    meet(locks::sum(Fault::None, 2, 1));
    meet(locks::sum(Fault::None, 3, 1));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_lock_that_does_not_release_is_found() {
    locks::sum(Fault::NoRelease, 2, 1);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_lock_that_does_not_acquire_is_found() {
    locks::sum(Fault::NoAcquire, 2, 1);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_wake_that_is_lost_is_found() {
    locks::sum(Fault::NoWake, 2, 1);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_sleep_without_a_look_is_found() {
    locks::sum(Fault::BlindSleep, 2, 1);
}

#[test]
fn who_forks_comes_in_and_others_wait() {
    meet(locks::fork(Fault::None, true, 1));
    meet(locks::fork(Fault::None, true, 2));
    meet(locks::fork_of_three(Fault::None));
}

#[test]
fn who_forked_before_waits_while_another_forks() {
    meet(locks::second_fork(Fault::None));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_stale_number_of_who_forks_is_found() {
    locks::second_fork(Fault::NoAcquireLoad);
}

#[test]
#[should_panic(expected = "nobody would wake the only thread")]
fn a_lock_that_is_not_held_across_a_fork_is_found() {
    locks::fork(Fault::None, false, 1);
}

#[test]
fn one_thread_makes_what_all_see() {
    meet(locks::first_use(Fault::None, 2, 0));
    meet(locks::first_use(Fault::None, 3, 0));
}

#[test]
fn who_fails_lets_the_next_try() {
    meet(locks::first_use(Fault::None, 2, 1));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_value_that_is_seen_before_it_is_made_is_found() {
    locks::first_use(Fault::NoRelease, 2, 0);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_maker_that_wakes_nobody_is_found() {
    locks::first_use(Fault::NoWake, 2, 0);
}

#[test]
fn full_sheaves_change_hands_with_what_is_in_their_objects() {
    meet(caches::hand_over(Fault::None, false));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn an_object_that_is_used_when_it_has_left_is_found() {
    caches::hand_over(Fault::None, true);
}

#[test]
fn aliens_go_home_while_a_visitor_comes_and_their_thread_ends() {
    meet(caches::aliens(Fault::None, false));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn an_alien_that_is_used_when_it_has_left_is_found() {
    caches::aliens(Fault::None, true);
}

#[test]
fn threads_come_and_go_under_a_visitor() {
    meet(caches::births(Fault::None));
}

#[test]
fn a_thread_inherits_a_cache_under_a_visitor() {
    meet(caches::heirs(Fault::None));
}

#[test]
fn a_child_adopts_what_threads_left_at_any_moment() {
    meet(caches::fork(Fault::None, true));
}

#[test]
#[should_panic(expected = "nobody would wake the only thread")]
fn a_fork_that_does_not_hold_the_heap_is_found() {
    caches::fork(Fault::None, false);
}

#[test]
fn pages_that_are_lent_stay_when_free_ones_go() {
    meet(memory::purge(Fault::None, 1, false));
}

#[test]
fn the_last_page_is_found_while_its_memory_goes() {
    meet(memory::last_page(Fault::None));
}

#[test]
fn one_thread_commits_at_a_time() {
    meet(memory::commit(Fault::None));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_span_that_is_used_when_it_was_given_back_is_found() {
    memory::purge(Fault::None, 1, true);
}

#[test]
fn objects_that_are_out_stay_when_pages_of_their_slab_go() {
    meet(memory::slab_purge(Fault::None, 1, false));
    meet(memory::slab_purge(Fault::None, 2, false));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn an_object_that_is_used_when_its_page_may_go_is_found() {
    memory::slab_purge(Fault::None, 1, true);
}

#[test]
fn what_tables_say_is_there_is() {
    meet(memory::growth(Fault::None));
    meet(memory::table(Fault::None));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_table_whose_length_is_seen_before_its_memory_is_found() {
    memory::table(Fault::NoAcquireLoad);
}

#[test]
fn a_limit_holds_and_what_fits_is_not_refused() {
    for room in [8, 16, 30] {
        meet(limits::takes(Fault::None, room, false));
    }
}

#[test]
#[should_panic(expected = "the limit holds")]
fn memory_that_is_lent_past_the_limit_is_found() {
    limits::takes(Fault::None, 8, true);
}

#[test]
fn a_purge_thread_does_not_sleep_through_what_was_freed_nor_the_end() {
    meet(global::wakes(Fault::None, true));
}

#[test]
fn there_is_one_purge_thread() {
    meet(global::starts(Fault::None));
}

#[test]
fn a_cache_comes_and_goes_while_another_is_used() {
    meet(named::comes_and_goes(Fault::None));
}

#[test]
#[should_panic(expected = "the library aborts")]
fn an_object_of_a_cache_that_changes_hands_without_order_is_found() {
    named::comes_and_goes(Fault::NoRelease);
}

#[test]
fn a_cache_with_an_object_in_use_stays() {
    meet(named::stays(Fault::None));
}

#[test]
fn memory_that_a_reader_may_look_at_stays_until_the_grace_period_has_ended() {
    meet(named::grace(Fault::None, false));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_grace_period_that_ends_before_its_readers_is_found() {
    named::grace(Fault::None, true);
}

#[test]
fn who_waits_for_a_reserve_gets_what_is_freed() {
    meet(named::waits(Fault::None, true));
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_waits_for_a_reserve_without_a_second_look_is_found() {
    named::waits(Fault::None, false);
}

#[test]
fn a_released_pool_goes_once_with_its_last_block() {
    meet(pools::is_released(Fault::None));
}

#[test]
#[should_panic(expected = "its structure is free again")]
fn blocks_of_a_pool_that_change_hands_without_order_are_found() {
    pools::is_released(Fault::NoRelease);
}

#[test]
fn a_pool_is_released_while_a_thread_takes_from_it() {
    meet(pools::is_released_under_a_taker(Fault::None));
}

#[test]
fn pools_come_and_go_beside_each_other() {
    meet(pools::come_and_go(Fault::None));
}

#[test]
#[should_panic(expected = "there is a slab at hand")]
fn memory_of_a_pool_that_changes_hands_without_order_is_found() {
    pools::come_and_go(Fault::NoRelease);
}

#[test]
fn no_two_pools_pass_the_limit_above_them() {
    meet(pools::share_a_limit(Fault::None));
}

#[test]
fn a_request_is_answered_once() {
    meet(global::is_answered(Fault::None));
}

#[test]
#[should_panic(expected = "answered once")]
fn a_request_whose_number_is_seen_before_the_rest_is_found() {
    global::is_answered(Fault::NoAcquireLoad);
}

#[test]
fn requests_of_two_writers_are_not_mixed() {
    meet(global::two_writers(Fault::None));
}

#[test]
fn a_purge_thread_does_not_sleep_through_a_request() {
    meet(global::wakes_for_mail(Fault::None, true));
}

/// Loom ends a thread that waits for ever by a panic, and what libc starts must not panic: so the process ends.
fn waits_for_ever(test: &str, scenario: fn()) {
    if std::env::var_os(MISTAKE).is_some() {
        return scenario();
    }
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args(["--exact", test, "--nocapture"]);
    let output = command.env(MISTAKE, "1").output();
    let output = output.expect("this program starts again");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && text.contains("deadlock"),
        "{text}"
    );
}

#[test]
fn a_purge_thread_that_is_not_called_is_found() {
    waits_for_ever("a_purge_thread_that_is_not_called_is_found", || {
        global::wakes(Fault::None, false);
    });
}

#[test]
fn a_purge_thread_that_is_woken_before_there_is_a_request_is_found() {
    waits_for_ever(
        "a_purge_thread_that_is_woken_before_there_is_a_request_is_found",
        || {
            global::wakes_for_mail(Fault::None, false);
        },
    );
}
