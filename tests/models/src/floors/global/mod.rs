//! The purge thread and its rounds: `src/global/purge_thread.rs` and `src/global/purge.rs` as they are, with a program that
//! has one number of unused bytes.
#![forbid(unsafe_code)]

mod life;
#[path = "../../../../../src/global/mail.rs"]
mod mail;
mod mailbox;
#[path = "../../../../../src/global/pace.rs"]
mod pace;
#[path = "../../../../../src/global/progress.rs"]
mod progress;
#[path = "../../../../../src/global/purge.rs"]
mod purge;
#[path = "../../../../../src/global/purge_loop.rs"]
mod purge_loop;
#[path = "../../../../../src/global/purge_thread.rs"]
mod purge_thread;
#[path = "../../../../../src/global/settle.rs"]
mod settle;
#[path = "../../../../../src/global/visits.rs"]
mod visits;
#[path = "../../../../../src/global/young.rs"]
mod young;

mod memory {
    pub(super) use super::life::Memory;
}

mod threads {
    pub(super) use super::life::{CACHES, leave_caches};
}

use core::world::{self, Fault};

pub use mailbox::{is_answered, two_writers, wakes_for_mail};

use life::CACHES;
use purge_thread::Trigger;

/// What a thread frees, far more than the purge thread sleeps through.
const MUCH: usize = 64 << 20;

/// A thread allocates, which starts the purge thread; frees `MUCH` and waits until that has gone back; and ends, and with it the
/// purge thread. With a mistake it does not say that much was freed.
pub fn wakes(fault: Fault, says_so: bool) -> usize {
    world::check(fault, Some(1), move || {
        let process = life::begin();
        let thread = &process.thread;
        let main = move || {
            thread.call(&process.purge, process.memory(), Trigger::Malloc);
            process.heap.free(MUCH);
            if says_so {
                thread.call(&process.purge, process.memory(), Trigger::Free);
            }
            process.heap.wait_until_gone();
            CACHES.end();
            thread.note_last_exit(true);
        };
        world::together([Box::new(main)]);
        assert_eq!(life::started(), 1, "one purge thread");
    })
}

/// Two threads allocate at the same time, and both want the purge thread started; then the program ends.
pub fn starts(fault: Fault) -> usize {
    world::check(fault, Some(1), move || {
        let process = life::begin();
        let thread = &process.thread;
        let other = move || {
            thread.call(&process.purge, process.memory(), Trigger::Malloc);
            process.heap.say();
        };
        let main = move || {
            thread.call(&process.purge, process.memory(), Trigger::Malloc);
            process.heap.wait_for_word();
            CACHES.end();
            thread.note_last_exit(true);
        };
        world::together([Box::new(other), Box::new(main)]);
        assert_eq!(life::started(), 1, "one purge thread");
    })
}
