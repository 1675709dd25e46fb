//! Threads at one lock, a fork while others want it, and threads that want the same value made.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::world::{self, Fault};

use loom::cell::Cell;

use crate::sync::{self, Lock, Once};

/// `threads` of them, two or three, raise a number `rounds` times each.
pub fn sum(fault: Fault, threads: usize, rounds: u32) -> usize {
    world::check(fault, bound(threads), move || {
        let lock = world::place(Lock::new(Cell::new(0_u32)));
        let work = move || {
            for _ in 0..rounds {
                let number = lock.lock();
                number.set(number.get() + 1);
            }
        };
        match threads {
            2 => world::together([Box::new(work), Box::new(work)]),
            _ => world::together([Box::new(work), Box::new(work), Box::new(work)]),
        }
        assert_eq!(
            lock.lock().get(),
            threads as u32 * rounds,
            "no turn is lost"
        );
    })
}

/// Preemptions that are tried of two threads one of which forks.
const FORK_BOUND: Option<usize> = Some(3);

/// Preemptions that are tried: of two threads all, of three as many as end within seconds.
fn bound(threads: usize) -> Option<usize> {
    (threads > 2).then_some(2)
}

/// Two numbers that are the same whenever nobody holds the lock, and a moment when they may not be.
#[derive(Clone, Copy, Debug)]
struct Twins {
    lock: &'static Lock<[u32; 2]>,
    moment: &'static AtomicUsize,
}

impl Twins {
    fn new() -> Self {
        Self {
            lock: world::place(Lock::new([0; 2])),
            moment: world::place(AtomicUsize::new(0)),
        }
    }

    fn raise(self) {
        let mut numbers = self.lock.lock();
        let [one, other] = *numbers;
        assert_eq!(one, other, "who has the lock finds the value whole");
        numbers[0] = one + 1;
        self.pass();
        numbers[1] = one + 1;
    }

    /// A step that loom tries before and after the same step of others.
    fn pass(self) {
        self.moment.fetch_add(1, Relaxed);
    }

    /// A fork whose other handlers need the value, before and after it, and a child that needs it too.
    fn fork(self, holds: bool) {
        if holds {
            sync::begin_fork(sync::Interrupted::No);
            self.lock.hold_for_fork();
        }
        self.raise();
        self.pass();
        world::fork(|| {
            if holds {
                sync::end_fork_in_child();
            }
            self.raise();
            self.raise();
        });
        self.raise();
        if holds {
            sync::end_fork();
        }
    }
}

/// A thread forks while another one wants the lock `rounds` times.
pub fn fork(fault: Fault, holds: bool, rounds: u32) -> usize {
    world::check(fault, FORK_BOUND, move || {
        let twins = Twins::new();
        let other = move || (0..rounds).for_each(|_| twins.raise());
        world::together([Box::new(other), Box::new(move || twins.fork(holds))]);
        assert_eq!(*twins.lock.lock(), [2 + rounds; 2]);
    })
}

/// A thread that has forked before wants the lock while another thread forks.
pub fn second_fork(fault: Fault) -> usize {
    world::check(fault, FORK_BOUND, || {
        let twins = Twins::new();
        let first = move || {
            sync::begin_fork(sync::Interrupted::No);
            twins.lock.hold_for_fork();
            sync::end_fork();
            twins.raise();
        };
        let second = move || {
            sync::begin_fork(sync::Interrupted::No);
            twins.lock.hold_for_fork();
            twins.raise();
            sync::end_fork();
        };
        world::together([Box::new(second), Box::new(first)]);
        assert_eq!(*twins.lock.lock(), [2; 2]);
    })
}

/// A thread forks while two others want the lock.
pub fn fork_of_three(fault: Fault) -> usize {
    world::check(fault, bound(3), || {
        let twins = Twins::new();
        let fork = move || {
            sync::begin_fork(sync::Interrupted::No);
            twins.lock.hold_for_fork();
            twins.raise();
            sync::end_fork();
        };
        let other = move || twins.raise();
        world::together([Box::new(other), Box::new(other), Box::new(fork)]);
        assert_eq!(*twins.lock.lock(), [3; 2]);
    })
}

/// `threads` of them want a value, of which the first `failures` attempts to make it fail.
pub fn first_use(fault: Fault, threads: usize, failures: usize) -> usize {
    world::check(fault, bound(threads), move || {
        let once = world::place(Once::new());
        let attempts = world::place(AtomicUsize::new(0));
        let got = world::place(AtomicUsize::new(0));
        let make = move || {
            let attempt = attempts.fetch_add(1, Relaxed);
            let value = Cell::new(0_u32);
            value.set(7);
            (attempt >= failures).then_some(value)
        };
        let work = move || {
            if let Some(value) = once.get_or_try_make(make) {
                assert_eq!(value.get(), 7, "who sees the value sees it whole");
                got.fetch_add(1, Relaxed);
            }
        };
        match threads {
            2 => world::together([Box::new(work), Box::new(work)]),
            _ => world::together([Box::new(work), Box::new(work), Box::new(work)]),
        }
        assert_eq!(attempts.load(Relaxed), failures + 1, "one maker at a time");
        assert!(
            got.load(Relaxed) >= threads - failures,
            "only the one that fails holds it"
        );
        assert!(once.get().is_some(), "the value stays");
    })
}
