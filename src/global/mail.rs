//! The mailbox: another process, such as `slubctl`, writes a request here, and this one answers it once.
//!
//! # Invariant
//!
//! A request is answered by the process that it names: a child of a fork has a copy of its parent's mail and throws that
//! away. A request whose parts do not belong together, as those of two writers at once, is thrown away too. Nobody trusts
//! what is written: a request is a verb and a number, and what neither fits is refused.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::sys;

/// Where a request and its answer lie.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Mail {
    /// The number of the request. The other process writes this last.
    pub(super) number: AtomicU64,
    /// What [`digest`] makes of the other parts, which tells whether all are of one request.
    pub(super) digest: AtomicU64,
    /// The process that is asked, by its number in its own namespace.
    pub(super) process: AtomicU32,
    pub(super) verb: AtomicU32,
    pub(super) value: AtomicU64,
    /// The number of the last answer, and what it was.
    pub(super) answered: AtomicU64,
    outcome: AtomicU32,
    /// Whether a request is done by a round that goes on.
    is_in_round: AtomicBool,
    /// The number of the last request that somebody has taken up.
    taken: AtomicU64,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) verb: u32,
    pub(super) value: u64,
}

/// Gives back what is unused, also of what threads have cached, as `malloc_trim` does.
pub(super) const TRIM: u32 = 1;
/// Gives back what is free.
pub(super) const PURGE: u32 = 2;
/// Sets `purge_ms`; `u64::MAX` for never.
pub(super) const SET_PURGE_MS: u32 = 3;
/// Sets `limit`; `u64::MAX` for none, 0 for that of the start.
pub(super) const SET_LIMIT: u32 = 4;
/// Sets whether there are statistics when the program ends.
pub(super) const SET_STATS: u32 = 5;

/// Switches the heap profile on, with the mean distance between two samples in bytes; 0 for off.
pub(super) const SET_PROFILE: u32 = 6;

/// Differs for requests that differ in any part (FNV-1a over words).
pub(super) fn digest(number: u64, process: u32, request: Request) -> u64 {
    const BASE: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let parts = [number, process.into(), request.verb.into(), request.value];
    let add = |digest: u64, part: u64| (digest ^ part).wrapping_mul(PRIME);
    parts.into_iter().fold(BASE, add)
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Outcome {
    /// It is done.
    Done = 1,
    /// The verb is not known, or does not take the value.
    Refused = 2,
}

impl Mail {
    pub(super) const fn new() -> Self {
        Self {
            number: AtomicU64::new(0),
            digest: AtomicU64::new(0),
            process: AtomicU32::new(0),
            verb: AtomicU32::new(0),
            value: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            outcome: AtomicU32::new(0),
            is_in_round: AtomicBool::new(false),
            taken: AtomicU64::new(0),
        }
    }

    /// Whether there is a request that nobody has taken up.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        // ORDERING: relaxed, a hint; `take` looks again.
        self.number.load(Relaxed) != self.taken.load(Relaxed)
    }

    /// The request, for the only thread that gets it.
    pub(super) fn take(&self) -> Option<Request> {
        let taken = self.taken.load(Relaxed);
        // ORDERING: acquire; the other process has written the rest before, by system calls of their own.
        let number = self.number.load(Acquire);
        if number == taken || self.is_in_round.load(Relaxed) {
            return None;
        }
        let process = self.process.load(Relaxed);
        let request = Request {
            verb: self.verb.load(Relaxed),
            value: self.value.load(Relaxed),
        };
        let is_whole = self.digest.load(Relaxed) == digest(number, process, request);
        let is_own = process as usize == sys::process_id();
        // A child of vfork(2) sees its parent's own mailbox, not a copy.
        if !is_own && sys::is_vfork_child() {
            return None;
        }
        // What is not whole is gone: its writer sees that another has written, whose number comes last.
        let is_first = self.taken.compare_exchange(taken, number, Relaxed, Relaxed);
        (is_first.is_ok() && is_whole && is_own).then_some(request)
    }

    /// The request that was taken up is done by the round that begins now.
    pub(super) fn await_round(&self) {
        self.is_in_round.store(true, Relaxed);
    }

    /// A round is over.
    pub(super) fn note_round(&self) {
        if self.is_in_round.load(Relaxed) && self.is_in_round.swap(false, Relaxed) {
            self.answer(Outcome::Done);
        }
    }

    /// Answers the request that was taken up last.
    pub(super) fn answer(&self, outcome: Outcome) {
        self.outcome.store(outcome as u32, Relaxed);
        // ORDERING: release: who sees the number sees the outcome.
        self.answered.store(self.taken.load(Relaxed), Release);
    }

    /// In a child: what a round of the parent's does is no answer here.
    pub(super) fn begin_child(&self) {
        self.is_in_round.store(false, Relaxed);
    }
}

/// Where the fields lie, for the other process.
pub(super) mod layout {
    use super::{Mail, Outcome, PURGE, SET_LIMIT, SET_PROFILE, SET_PURGE_MS, SET_STATS, TRIM};
    use crate::layout::{Row, Value, fields};

    pub(in super::super) const ROWS: &[Row] = fields!(Mail as "mail" {
        number, digest, process, verb, value, answered, outcome,
    });
    pub(in super::super) const VALUES: &[Value] = &[
        Value::new("mail_trim", TRIM as u64),
        Value::new("mail_purge", PURGE as u64),
        Value::new("mail_set_purge_ms", SET_PURGE_MS as u64),
        Value::new("mail_set_limit", SET_LIMIT as u64),
        Value::new("mail_set_stats", SET_STATS as u64),
        Value::new("mail_set_profile", SET_PROFILE as u64),
        Value::new("mail_done", Outcome::Done as u64),
    ];
}

#[cfg(all(test, not(any(simulated, miri))))]
mod tests {
    use super::*;

    const REQUEST: Request = Request {
        verb: SET_LIMIT,
        value: 5,
    };

    fn post(mail: &Mail, number: u64, process: usize) {
        let process = process as u32;
        let digest = digest(number, process, REQUEST);
        mail.digest.store(digest, Relaxed);
        mail.process.store(process, Relaxed);
        mail.verb.store(REQUEST.verb, Relaxed);
        mail.value.store(REQUEST.value, Relaxed);
        mail.number.store(number, Relaxed);
    }

    #[test]
    fn a_request_is_taken_up_once() {
        let mail = Mail::new();
        assert!(!mail.is_waiting() && mail.take().is_none());
        post(&mail, 7, sys::process_id());
        assert!(mail.is_waiting());
        assert_eq!(mail.take(), Some(REQUEST));
        assert!(!mail.is_waiting() && mail.take().is_none());
        assert_eq!(mail.answered.load(Relaxed), 0);
        mail.answer(Outcome::Done);
        assert_eq!(mail.answered.load(Relaxed), 7);
        // The same number again is no new request.
        post(&mail, 7, sys::process_id());
        assert!(mail.take().is_none());
    }

    #[test]
    fn mail_for_another_process_is_thrown_away_without_an_answer() {
        let mail = Mail::new();
        post(&mail, 7, sys::process_id() + 1);
        assert!(mail.is_waiting() && mail.take().is_none() && !mail.is_waiting());
        assert_eq!(mail.answered.load(Relaxed), 0);
    }

    #[test]
    fn parts_of_two_requests_are_none() {
        let mail = Mail::new();
        let parts: [fn(&Mail); 4] = [
            |it| it.value.store(6, Relaxed),
            |it| it.verb.store(TRIM, Relaxed),
            |it| it.digest.store(1, Relaxed),
            |it| it.process.store(0, Relaxed),
        ];
        for (number, change) in (7..).zip(parts) {
            post(&mail, number, sys::process_id());
            change(&mail);
            assert!(mail.is_waiting() && mail.take().is_none() && !mail.is_waiting());
        }
        // The next one is not missed.
        post(&mail, 20, sys::process_id());
        assert_eq!(mail.take(), Some(REQUEST));
        assert_eq!(mail.answered.load(Relaxed), 0);
    }

    #[test]
    fn a_request_that_is_half_written_over_is_gone_and_the_new_one_is_taken_up() {
        let mail = Mail::new();
        post(&mail, 7, sys::process_id());
        mail.digest.store(1, Relaxed);
        assert!(mail.take().is_none());
        post(&mail, 8, sys::process_id());
        assert_eq!(mail.take(), Some(REQUEST));
    }

    #[test]
    fn a_round_answers_only_what_waits_for_it() {
        let mail = Mail::new();
        post(&mail, 3, sys::process_id());
        assert!(mail.take().is_some());
        mail.note_round();
        assert_eq!(mail.answered.load(Relaxed), 0);
        mail.await_round();
        post(&mail, 4, sys::process_id());
        assert!(mail.take().is_none());
        mail.note_round();
        assert_eq!(mail.answered.load(Relaxed), 3);
        assert!(mail.take().is_some());
    }
}
