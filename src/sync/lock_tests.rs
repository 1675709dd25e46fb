//! The lock between threads and across a fork.
#![forbid(unsafe_code)]

extern crate std;
use super::*;
use std::{thread, vec::Vec};

#[test]
fn no_increment_is_lost_between_four_threads() {
    static SUM: Lock<u64> = Lock::new(0);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                for _ in 0..50_000 {
                    *SUM.lock() += 1;
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(*SUM.lock(), 200_000);
}

#[test]
fn a_lock_held_for_a_fork_lets_its_own_thread_in() {
    static LOCK: Lock<u32> = Lock::new(1);
    let _one = crate::sync::one_fork::take();
    fork::begin_fork(fork::Interrupted::No);
    LOCK.hold_for_fork();
    *LOCK.lock() += 1;
    let other = thread::spawn(|| *LOCK.lock() += 1);
    *LOCK.lock() *= 10;
    fork::end_fork();
    other.join().unwrap();
    assert_eq!(*LOCK.lock(), 21);
}
