//! The mailbox: another process, such as `slubctl`, writes a request here, and this one answers it once.
//!
//! # Invariant
//!
//! A request is answered by the process that it names: a child of a fork has a copy of its parent's mail and throws that
//! away. Nobody trusts what is written: a request is a verb and a number, and what neither fits is refused.
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
    number: AtomicU64,
    /// The same number: with two writers at once, the other parts may be of another request.
    written: AtomicU64,
    /// The process that is asked, by its number in its own namespace.
    process: AtomicU32,
    verb: AtomicU32,
    value: AtomicU64,
    /// The number of the last answer, and what it was.
    answered: AtomicU64,
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
            written: AtomicU64::new(0),
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
        let number = self.number.load(Relaxed);
        number != self.taken.load(Relaxed) && number == self.written.load(Relaxed)
    }

    /// The request, for the only thread that gets it.
    pub(super) fn take(&self) -> Option<Request> {
        let taken = self.taken.load(Relaxed);
        // ORDERING: acquire; the other process has written the rest before, by a system call of its own.
        let number = self.number.load(Acquire);
        let request = Request {
            verb: self.verb.load(Relaxed),
            value: self.value.load(Relaxed),
        };
        let process = self.process.load(Relaxed) as usize;
        let is_busy = self.is_in_round.load(Relaxed);
        if is_busy || number == taken || self.written.load(Relaxed) != number {
            return None;
        }
        let is_own = process == sys::process_id();
        // A child of vfork(2) sees its parent's own mailbox, not a copy.
        if !is_own && sys::is_vfork_child() {
            return None;
        }
        let is_first = self.taken.compare_exchange(taken, number, Relaxed, Relaxed);
        (is_first.is_ok() && is_own).then_some(request)
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
    use super::{Mail, Outcome, PURGE, SET_LIMIT, SET_PURGE_MS, SET_STATS, TRIM};
    use crate::layout::{Row, Value, fields};

    pub(in super::super) const ROWS: &[Row] = fields!(Mail as "mail" {
        number, written, process, verb, value, answered, outcome,
    });
    pub(in super::super) const VALUES: &[Value] = &[
        Value::new("mail_trim", TRIM as u64),
        Value::new("mail_purge", PURGE as u64),
        Value::new("mail_set_purge_ms", SET_PURGE_MS as u64),
        Value::new("mail_set_limit", SET_LIMIT as u64),
        Value::new("mail_set_stats", SET_STATS as u64),
        Value::new("mail_done", Outcome::Done as u64),
    ];
}

#[cfg(all(test, not(any(simulated, miri))))]
mod tests {
    use super::*;

    fn post(mail: &Mail, number: u64, process: usize) {
        mail.written.store(number, Relaxed);
        mail.process.store(process as u32, Relaxed);
        mail.verb.store(SET_LIMIT, Relaxed);
        mail.value.store(5, Relaxed);
        mail.number.store(number, Relaxed);
    }

    #[test]
    fn a_request_is_taken_up_once() {
        let mail = Mail::new();
        assert!(!mail.is_waiting() && mail.take().is_none());
        post(&mail, 7, sys::process_id());
        assert!(mail.is_waiting());
        let request = mail.take().expect("a request");
        assert_eq!((request.verb, request.value), (SET_LIMIT, 5));
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
    fn half_of_a_request_waits_for_the_rest() {
        let mail = Mail::new();
        post(&mail, 7, sys::process_id());
        mail.written.store(8, Relaxed);
        assert!(!mail.is_waiting() && mail.take().is_none());
        post(&mail, 8, sys::process_id());
        assert!(mail.take().is_some());
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
