//! What the purge thread does, from its beginning to its end.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    Ordering::{Relaxed, SeqCst},
    fence,
};

use super::memory::Memory;
use super::purge::Purge;
use super::purge_thread::{ABSENT, END, LAST, PurgeThread, RUNNING, SLEEPING, WAKE_BYTES};
use super::threads::{CACHES, leave_caches};
use crate::config::ThreadChoice;
use crate::decay::{Budget, STEPS};
use crate::sys;

/// Rounds without anything to do after which it sleeps or ends.
const EMPTY_ROUNDS: u32 = 2 * STEPS;
/// Milliseconds between two looks for what nobody gives notice of: the end of the first thread while it is the only one,
/// and those of threads without a hook.
const LOOK_MS: u64 = 1_000;
const UNNOTICED_MS: u64 = 100;
/// Milliseconds after its end in which it is not started again: a program may start one thread after the other.
const PAUSE_MS: u64 = 1_000;

// ORDERING: relaxed where nothing else is said, see `purge_thread.rs`.

impl PurgeThread {
    /// What the thread does, from its beginning to its end; `others` is what else it does in each round.
    pub(super) fn run(&self, purge: &Purge, memory: Memory<'_>, others: &dyn Fn()) {
        sys::name_thread(cstr::cstr!("slub-purge"));
        // What libc frees at the thread's end needs no cache.
        leave_caches();
        self.number.store(sys::kernel_thread_id(), Relaxed);
        self.serve(purge, memory, others);
    }

    /// A round for each step, until there is nothing to do or nobody to do it for.
    fn serve(&self, purge: &Purge, memory: Memory<'_>, others: &dyn Fn()) {
        let unused = || memory.heap.free_bytes() + purge.parked_bytes();
        let mut empty = 0;
        loop {
            let rung = self.bell.count();
            if self.is_over() {
                break;
            }
            others();
            let before = unused();
            let (bytes, is_quiet) = match purge.serve(memory) {
                Ok(round) => round,
                Err(milliseconds) => {
                    self.bell.wait(rung, Some(milliseconds));
                    continue;
                }
            };
            // Where nothing happens, nothing more will go.
            let is_done = bytes == 0 && (is_quiet || unused() <= WAKE_BYTES);
            empty = if is_done { empty + 1 } else { 0 };
            if empty < EMPTY_ROUNDS {
                continue;
            }
            empty = 0;
            if !self.is_wanted(purge, memory) {
                break;
            }
            if !self.turn(RUNNING, SLEEPING) {
                continue;
            }
            // ORDERING: pairs with the fences in `call` and `note_last_exit`. Who freed much since the round, or ended,
            // and did not see this thread asleep is seen from here on.
            fence(SeqCst);
            if unused() > before.max(WAKE_BYTES) {
                self.turn(SLEEPING, RUNNING);
            }
            loop {
                let rung = self.bell.count();
                let is_asleep = self.state.load(Relaxed) == SLEEPING && !self.is_over();
                if !is_asleep || purge.mail.is_waiting() {
                    break;
                }
                let milliseconds = match CACHES.count() {
                    _ if CACHES.has_lifelines() => Some(UNNOTICED_MS),
                    0 | 1 => Some(LOOK_MS),
                    _ => None,
                };
                self.bell.wait(rung, milliseconds);
            }
            self.turn(SLEEPING, RUNNING);
        }
        // Nobody else will, if the last thread sleeps.
        let is_ended = || self.state.load(Relaxed) == END;
        while !is_ended() && self.owes.load(Relaxed) && CACHES.count() <= 1 && unused() > WAKE_BYTES
        {
            CACHES.cool_all();
            if purge.round_at_once(memory, &mut Budget::unlimited()) == 0 {
                break;
            }
        }
        if CACHES.count() <= 1 {
            self.again_at.store(sys::milliseconds() + PAUSE_MS, Relaxed);
        }
        let _ = self.turn(LAST, ABSENT) || self.turn(RUNNING, ABSENT);
    }

    /// Whether there is nobody left to work for: one thread of the program's can do it by itself. If a thread for it is
    /// wanted in any case, that holds until the first thread has ended too, of which nobody gives notice.
    fn is_over(&self) -> bool {
        // What this said is looked at now.
        if self.state.load(Relaxed) == END {
            return true;
        }
        self.turn(LAST, RUNNING);
        // ORDERING: pairs with the fence in `note_last_exit`.
        fence(SeqCst);
        CACHES.reap(usize::MAX);
        let is_only = CACHES.count() <= 1;
        is_only && (self.choice != ThreadChoice::On || sys::is_main_thread_gone())
    }
}
