//! What requests from outside of the process do: give memory back, or change an option.
//!
//! # Invariant
//!
//! One thread at a time takes up a request, and no purge runs meanwhile. On a thread of the program's memory goes
//! back by rounds, each with the budget of a call.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::mail::{Outcome, PURGE, Request, SET_LIMIT, SET_PROFILE, SET_PURGE_MS, SET_STATS, TRIM};
use super::process::Process;
use super::profile_switch;
use super::trim::trim_all;
use crate::config;
use crate::decay::Elapsed;

impl Process {
    /// Takes up a request on a slow path of the program's.
    #[cold]
    #[inline(never)]
    pub(super) fn answer(&self) {
        self.purge.exclusively(|| {
            let Some(request) = self.purge.mail.take() else {
                return;
            };
            match request.verb {
                TRIM | PURGE => {
                    // The next calls do it.
                    self.purge.force_round(request.verb == TRIM);
                    self.purge.mail.await_round();
                }
                _ => {
                    self.purge.mail.answer(self.set(request));
                    if request.verb == SET_LIMIT {
                        self.purge.force_round(true);
                    }
                }
            }
        });
    }

    /// Takes up a request in the purge thread, for which nobody waits.
    #[cold]
    #[inline(never)]
    pub(super) fn answer_at_once(&self) {
        self.purge.exclusively(|| {
            let Some(request) = self.purge.mail.take() else {
                return;
            };
            let outcome = match request.verb {
                TRIM => {
                    trim_all(self);
                    Outcome::Done
                }
                PURGE => {
                    self.heap.decay(Elapsed::FOR_EVER);
                    Outcome::Done
                }
                SET_LIMIT => {
                    let outcome = self.set(request);
                    // What is resident and unused is charged to nobody.
                    trim_all(self);
                    outcome
                }
                _ => self.set(request),
            };
            self.purge.mail.answer(outcome);
        });
    }

    fn set(&self, request: Request) -> Outcome {
        let value = (request.value != u64::MAX).then_some(request.value);
        let is_right = match request.verb {
            SET_PURGE_MS => {
                let is_right = value.is_none_or(config::is_purge_time);
                if is_right {
                    self.purge.set_purge_ms(value);
                    if self.purge.is_on() {
                        self.thread.allow();
                    }
                }
                is_right
            }
            SET_LIMIT => {
                let bytes = value.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
                let is_right = bytes.is_none_or(|bytes| bytes == 0 || config::is_limit(bytes));
                if is_right {
                    self.heap.set_limit(bytes);
                }
                is_right
            }
            SET_STATS => {
                // ORDERING: relaxed, a wish.
                self.purge.stats_at_exit.store(request.value == 1, Relaxed);
                request.value <= 1
            }
            SET_PROFILE => {
                profile_switch::switch(self, Some(request.value).filter(|rate| *rate > 0))
            }
            _ => false,
        };
        match is_right {
            true => Outcome::Done,
            false => Outcome::Refused,
        }
    }
}
