//! Models of what the threads of slubmalloc do to each other, which loom runs in every order of their steps:
//! `cargo test --manifest-path tests/models/Cargo.toml`, a part of `scripts/test.sh`.
//!
//! # Detaching an idle thread's main sheaf
//!
//! `src/cache/bounds.rs` and `src/cache/idle.rs` are compiled here as they are, on loom's atomics; `cache/` has what stands
//! around them, for one class. The owner of a cache takes objects and gives some back, while a visitor detaches what
//! waits there and takes it later. In the end each object must have exactly one holder, and the sheaf no gap.
//!
//! `malloc_trim` detaches and takes with a barrier of the kernel's between, which needs no time.
//!
//! The real code lets time pass between detaching and taking. What it gets from that is that the owner's stores from
//! before are visible then, and that its loads from then on see that. Here two sequentially consistent
//! fences stand for it: one in the owner's `pop` between store and load, where the real code holds back only the
//! compiler, and one in the visitor between detaching and taking. That is the barrier of Cilk's queues, which the time
//! replaces: what stands before the earlier fence is visible after the later one. The owner may stop at any step for any
//! time; all else rests on the lock and on acquire and release, as in the real code. Slots are plain memory, in
//! which loom finds every race.
//!
//! # Bounds
//!
//! All orders, without a bound on preemptions; a load sees any of the last seven stores that it may see. Both
//! are loom's. The scenarios are short: up to three objects, four steps, three visits.
//!
//! # Mistakes
//!
//! The last tests make one mistake each, and loom must find it.
#![forbid(unsafe_code)]

mod cache;
#[expect(dead_code, reason = "the arithmetic has more than a visit needs")]
#[path = "../../../src/decay.rs"]
mod decay;
mod heap;
mod scenario;
mod slab;
mod sys;
mod units;

use cache::{
    Haste::{Never, Now},
    Mistake,
};
use scenario::{
    CAPACITY, Scenario,
    Step::{Bring, Detach, Free, Malloc},
};

#[test]
fn what_is_popped_is_not_taken() {
    Scenario::new(2, &[Malloc, Malloc], &[Now, Never]).check();
}

#[test]
fn what_was_popped_before_a_detach_may_come_back_during_it() {
    Scenario::new(2, &[Malloc, Free, Malloc], &[Now, Never]).check();
}

#[test]
fn other_objects_may_come_into_detached_slots() {
    Scenario::new(2, &[Malloc, Bring, Bring, Malloc], &[Now, Never]).check();
}

#[test]
fn new_objects_come_above_detached_ones() {
    Scenario::new(1, &[Bring, Malloc, Malloc], &[Now, Never]).check();
}

#[test]
fn an_empty_sheaf_is_popped_during_a_detach() {
    Scenario::new(0, &[Malloc, Bring, Malloc], &[Now, Never]).check();
}

#[test]
fn an_owner_that_woke_is_detached_again() {
    Scenario::new(2, &[Malloc], &[Now, Now, Never]).check();
    Scenario::new(1, &[Malloc, Bring], &[Now, Now, Never]).check();
}

#[test]
fn a_full_sheaf_has_room_where_a_gap_was() {
    Scenario::new(CAPACITY, &[Bring, Malloc], &[Now, Never]).check();
}

#[test]
fn two_gaps_are_closed_at_once() {
    Scenario::new(1, &[Bring, Bring], &[Now, Now, Never]).check();
}

#[test]
fn an_owner_may_detach_its_own_objects_above_detached_ones() {
    Scenario::new(1, &[Bring, Detach, Malloc], &[Now, Never]).check();
}

#[test]
fn an_owner_knows_of_its_own_detach_at_once() {
    let scenario = Scenario::new(CAPACITY, &[Malloc, Detach, Malloc], &[Never, Never]);
    scenario.with_pause(|| ()).check();
}

#[test]
fn a_visitor_that_comes_too_early_takes_nothing() {
    let scenario = Scenario::new(1, &[Malloc], &[Now, Never]);
    scenario.with_pause(|| ()).check();
}

#[test]
fn a_spare_sheaf_is_opened_or_taken() {
    let scenario = Scenario::new(0, &[Malloc], &[Now, Never]);
    scenario.with_spare(2).check();
    let scenario = Scenario::new(1, &[Malloc, Malloc], &[Now, Never]);
    scenario.with_spare(1).check();
}

#[test]
fn what_a_counted_call_takes_is_not_taken() {
    Scenario::new(1, &[Malloc], &[Now, Never]).counted().check();
}

#[test]
fn counting_begins_and_ends_at_any_moment() {
    Scenario::new(1, &[Malloc, Free, Malloc], &[])
        .switched()
        .check();
}

#[test]
fn a_trim_takes_what_the_owner_left_alone() {
    Scenario::trim(2, &[Malloc, Malloc], None).check();
    Scenario::trim(2, &[Malloc, Free, Malloc], None).check();
    Scenario::trim(1, &[Bring, Malloc, Malloc], None).check();
    Scenario::trim(1, &[Bring, Detach, Malloc], None).check();
}

#[test]
fn a_trim_leaves_what_another_visitor_has_detached_since() {
    Scenario::trim(2, &[Malloc, Malloc], Some(Now)).check();
}

#[test]
#[should_panic(expected = "one holder")]
fn a_trim_without_a_barrier_is_found() {
    let scenario = Scenario::trim(1, &[Malloc], None);
    scenario.with_pause(sys::wait_in_vain).check();
}

#[test]
#[should_panic(expected = "one holder")]
fn looking_before_taking_is_found() {
    let scenario = Scenario::new(1, &[Malloc], &[Now, Never]);
    scenario.with_mistake(Mistake::LooksFirst).check();
}

#[test]
#[should_panic(expected = "one holder")]
fn settling_at_once_is_found() {
    let scenario = Scenario::new(1, &[Malloc], &[Now, Never]);
    scenario.with_pause(sys::wait_in_vain).check();
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_slot_that_is_written_late_is_found() {
    let scenario = Scenario::new(0, &[Bring], &[Now, Never]);
    scenario.with_mistake(Mistake::WritesLate).check();
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_slow_path_without_the_lock_is_found() {
    let scenario = Scenario::new(0, &[Malloc], &[Now]);
    scenario
        .with_spare(1)
        .with_mistake(Mistake::ForgetsLock)
        .check();
}
