//! The whole heap on a machine that says no: once, from some moment on, at one place, at random, or because it has no
//! more of something.

extern crate std;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::collections::BTreeMap;
use std::eprintln;
use std::panic;

use crate::sys::faults::{ENOMEM, ERRNOS, Machine, Plan, Site};

mod kernel;
mod lifetime;
mod named;
mod process;
mod random;
mod work;
mod world;

use lifetime::live;
use random::Random;

const STEPS: usize = 150;
/// Calls in which a heap is born.
const FIRST_CALLS: u64 = 25;
const MIB: usize = 1 << 20;

/// Lives under a plan; how many requests were refused. What goes wrong is told with what was done.
fn try_live(what: &str, number: u64, seed: u64, plan: &'static Plan) -> usize {
    let result = panic::catch_unwind(AssertUnwindSafe(|| live(plan, seed, STEPS)));
    result.unwrap_or_else(|cause| {
        eprintln!("{what} {number}, seed {seed}");
        panic::resume_unwind(cause)
    })
}

#[test]
fn without_refusals_nothing_is_refused() {
    for seed in 0..30 {
        assert_eq!(live(Plan::none(), seed, STEPS), 0);
    }
}

#[test]
fn any_one_call_may_be_refused() {
    for seed in [0, 13] {
        let calls = Plan::none();
        live(calls, seed, STEPS);
        for index in 0..calls.count() {
            let plan = Plan::new(move |event| (event.index == index).then_some(ENOMEM));
            try_live("refused call", index, seed, plan);
        }
    }
}

#[test]
fn from_any_call_on_all_may_be_refused() {
    for seed in [0, 13] {
        let calls = Plan::none();
        live(calls, seed, STEPS);
        // All calls of the beginning, and later some.
        let later = (FIRST_CALLS..calls.count()).step_by(9);
        for index in (0..FIRST_CALLS).chain(later) {
            let plan = Plan::new(move |event| (event.index >= index).then_some(ENOMEM));
            try_live("first refused call", index, seed, plan);
        }
    }
}

/// One place at a time, with every error number: the first call, all of them, and one in two.
#[test]
fn any_place_may_refuse() {
    // With the first life that reaches that place.
    let mut sites = BTreeMap::<Site, u64>::new();
    for seed in 0..30 {
        let plan = Plan::none();
        live(plan, seed, STEPS);
        for site in plan.tallies().into_keys() {
            sites.entry(site).or_insert(seed);
        }
    }
    for (site, reaching) in sites.clone() {
        let mut refused = 0;
        for (seed, errno) in (reaching..).zip(ERRNOS) {
            let first =
                Plan::new(move |it| (it.site == site && it.index_here == 0).then_some(errno));
            let all = Plan::new(move |it| (it.site == site).then_some(errno));
            let half = move |index| Random::new(index).below(2) == 0;
            let half =
                Plan::new(move |it| (it.site == site && half(it.index_here)).then_some(errno));
            for plan in [first, all, half] {
                try_live("errno", errno as u64, seed, plan);
                refused += plan.refused();
            }
        }
        assert!(refused > 0, "{site:?} is reached and never refused");
    }
    assert!(sites.len() >= 10);
}

#[test]
fn refusals_at_random() {
    let refused = AtomicU64::new(0);
    for seed in 0..300 {
        let share = [2, 10, 100][seed as usize % 3];
        let mut random = Random::new(seed + 1_000);
        let plan = Plan::new(move |_| {
            (random.below(share) == 0).then(|| ERRNOS[random.below(ERRNOS.len())])
        });
        try_live("one refused in", share as u64, seed, plan);
        refused.fetch_add(plan.refused(), Relaxed);
    }
    assert!(refused.into_inner() > 1_000);
}

/// A little more of something each time, until it is enough.
fn grows_until_it_is_enough(what: &str, machine: impl Fn(usize) -> Machine, first: usize) {
    for seed in [0, 1, 13] {
        let (mut amount, mut lives) = (first, 0);
        loop {
            let plan = Plan::on(machine(amount), |_| None);
            try_live(what, amount as u64, seed, plan);
            if plan.refused() == 0 {
                break;
            }
            amount += (amount / 8).max(1);
            lives += 1;
        }
        assert!(lives > 5, "{what}: {amount} is enough");
    }
}

#[test]
fn a_machine_may_be_out_of_memory() {
    let machine = |usable_bytes| Machine {
        usable_bytes,
        ..Machine::ENDLESS
    };
    grows_until_it_is_enough("bytes of memory", machine, 64 << 10);
}

#[test]
fn a_machine_may_be_out_of_address_space() {
    let machine = |address_bytes| Machine {
        address_bytes,
        ..Machine::ENDLESS
    };
    grows_until_it_is_enough("bytes of address space", machine, MIB);
}

#[test]
fn a_machine_may_be_out_of_mappings() {
    let machine = |mappings| Machine {
        mappings,
        ..Machine::ENDLESS
    };
    grows_until_it_is_enough("mappings", machine, 1);
}
