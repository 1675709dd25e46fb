//! What a round of the purge does: it visits caches, then the heap, as far as a budget goes.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::super::memory::Memory;
use super::super::threads::CACHES;
use super::Purge;
use crate::cache::{Haste, ThreadCache};
use crate::decay::{Budget, Elapsed};
use crate::heap::Round;

impl Purge {
    /// A new round; none if this is the first, which only takes note of what there is.
    pub(super) fn begin(&self, now: u64, seen: u64) -> Option<Round> {
        let last = self.last.swap(now, Relaxed);
        self.next.store(now + self.step(), Relaxed);
        if last == 0 {
            return None;
        }
        let elapsed = if self.pace.is_eager() {
            Elapsed::FOR_EVER
        } else {
            Elapsed {
                steps: self.pace.steps_between(last, now).max(1),
                quiet: self.pace.steps_between(seen, now),
            }
        };
        let interval = 2 * self.step();
        if elapsed.is_long() || now >= self.visited.load(Relaxed) + interval {
            self.visited.store(now, Relaxed);
            self.visits.begin();
        }
        Some(Round::new(elapsed))
    }

    /// Goes on with a round until it is over or the budget of a call is spent.
    pub(super) fn go_on(
        &self,
        memory: Memory<'_>,
        now: u64,
        mut round: Round,
        own: Option<&ThreadCache>,
    ) -> usize {
        let mut budget = match own {
            Some(_) => Budget::of_a_call(),
            None => Budget::unlimited(),
        };
        let resting = own.filter(|_| round.elapsed.is_long());
        if let Some(own) = resting {
            // The next calls then come by as well.
            own.drain_within(&mut budget);
        }
        let mut bytes = self.visit_caches(memory, round.elapsed, &mut budget);
        bytes += memory.heap.decay_some(&mut round, &mut budget);
        self.progress.set(round);
        let is_over = memory.heap.is_over(round) && !self.visits.is_on.load(Relaxed);
        if is_over {
            self.mail.note_round();
        }
        let next = match is_over {
            true => self.pace.after(self.last.load(Relaxed), now),
            false => 0,
        };
        self.next.store(next, Relaxed);
        if let Some(own) = resting {
            own.await_thread(!is_over);
        }
        bytes
    }

    /// Goes on with a visit to all caches; the bytes that went.
    pub(super) fn visit_caches(
        &self,
        memory: Memory<'_>,
        elapsed: Elapsed,
        budget: &mut Budget,
    ) -> usize {
        let haste = match elapsed.is_long() {
            true => Haste::Now,
            false => Haste::IfIdle,
        };
        let (bytes, parked) = self.visits.go_on(memory, haste, budget);
        if let Some(parked) = parked {
            self.parked.store(parked, Relaxed);
            self.known.store(CACHES.count(), Relaxed);
        }
        bytes
    }
}
