//! The mailbox: `src/global/mail.rs` as it is, with another process that writes to it as `slubctl` does.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::{Relaxed, Release};
use core::world::{self, Fault};

use super::life::{self, CACHES, Process};
use super::mail::{Mail, PURGE, Request, SET_LIMIT, digest};
use super::purge_thread::Trigger;

const REQUESTS: [(u64, Request); 2] = [
    (
        7,
        Request {
            verb: SET_LIMIT,
            value: 70,
        },
    ),
    (
        8,
        Request {
            verb: PURGE,
            value: 80,
        },
    ),
];

/// Another process writes a request. The kernel orders its system calls: the number is written after the rest. Exchanges, since of
/// two stores at the same time loom lets each be the last, whatever memory has in the end.
fn post(mail: &Mail, (number, request): (u64, Request)) {
    prepare(mail, (number, request));
    mail.number.swap(number, Release);
}

/// All but the number.
fn prepare(mail: &Mail, (number, request): (u64, Request)) {
    mail.digest.swap(digest(number, 1, request), Relaxed);
    mail.process.swap(1, Relaxed);
    mail.verb.swap(request.verb, Relaxed);
    mail.value.swap(request.value, Relaxed);
}

/// A slow path of the program's.
fn slow_path(process: &Process) {
    if process.purge.mail.is_waiting() {
        process.answer();
    }
}

/// A request comes while two threads take slow paths, and one more is taken later: it is answered once.
pub fn is_answered(fault: Fault) -> usize {
    world::check(fault, Some(3), move || {
        let process = life::begin();
        let mail = &process.purge.mail;
        world::together([
            Box::new(move || post(mail, REQUESTS[0])),
            Box::new(move || slow_path(process)),
            Box::new(move || slow_path(process)),
        ]);
        slow_path(process);
        assert_eq!(life::taken(), [REQUESTS[0].1], "answered once");
        assert_eq!(mail.answered.load(Relaxed), REQUESTS[0].0);
        assert!(!mail.is_waiting());
    })
}

/// Two processes write at the same time, while a thread takes slow paths: what is taken up is whole, none twice, and each
/// writer knows of an answer or of the other.
pub fn two_writers(fault: Fault) -> usize {
    world::check(fault, Some(2), move || {
        let process = life::begin();
        let mail = &process.purge.mail;
        world::together([
            Box::new(move || post(mail, REQUESTS[0])),
            Box::new(move || post(mail, REQUESTS[1])),
            Box::new(move || slow_path(process)),
        ]);
        slow_path(process);
        let taken = life::taken();
        for (number, request) in REQUESTS {
            let times = taken.iter().filter(|it| **it == request).count();
            assert!(times <= 1, "answered once");
            let now = Request {
                verb: mail.verb.load(Relaxed),
                value: mail.value.load(Relaxed),
            };
            let is_there = mail.number.load(Relaxed) == number
                && now == request
                && mail.digest.load(Relaxed) == digest(number, 1, request);
            assert!(
                !is_there || mail.answered.load(Relaxed) == number,
                "who sees nobody else's request has an answer"
            );
        }
        let is_whole = |it: &Request| REQUESTS.iter().any(|(_, request)| request == it);
        assert!(taken.iter().all(is_whole), "parts of one request");
        assert!(!mail.is_waiting());
    })
}

/// A request comes at any moment of the purge thread's, which is woken for it; with a mistake it is woken first. The program's thread
/// stands for the other process too: what it does besides concerns neither.
pub fn wakes_for_mail(fault: Fault, is_woken_last: bool) -> usize {
    world::check(fault, Some(0), move || {
        let process = life::begin();
        let (mail, thread) = (&process.purge.mail, &process.thread);
        prepare(mail, REQUESTS[0]);
        let main = move || {
            thread.call(&process.purge, process.memory(), Trigger::Malloc);
            if !is_woken_last {
                thread.bell.ring();
            }
            mail.number.swap(REQUESTS[0].0, Release);
            if is_woken_last {
                thread.bell.ring();
            }
            process.heap.wait_for_word();
            CACHES.end();
            thread.note_last_exit(true);
        };
        world::together([Box::new(main)]);
        assert_eq!(life::taken(), [REQUESTS[0].1], "answered once");
    })
}
