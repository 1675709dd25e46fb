//! Taking back what is cached in the bins of named caches, while their threads may wake at any moment.
//!
//! # Invariant
//!
//! As for malloc's bins, see `idle.rs`: an object leaves a main sheaf through its thread, or by being detached, unless the
//! thread took it. Where the objects go is the caller's affair, who knows the caches.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU16, Ordering::Relaxed};

use super::ThreadCache;
use super::idle::{Haste, SETTLE_MS};
use super::named::NamedBins;
use crate::slab::{Sheaf, Slot};
use crate::sys;

/// What is taken from a bin.
#[derive(Debug)]
pub(crate) enum Taken<'sheaf> {
    /// Objects that stay where they are, since the thread may look at them.
    Detached(&'sheaf [Slot]),
    /// The spare sheaf, of full size.
    Spare(Sheaf),
}

// ORDERING: relaxed, see `idle.rs`.

impl NamedBins {
    /// Reattaches a bin's main sheaf and closes the gap that an earlier one left. Every slow path of the cache's
    /// thread begins with it, under the lock.
    pub(super) fn reattach(&self, place: usize) {
        let (bin, notes) = (self.bin(place), self.notes(place));
        notes.is_used.store(1, Relaxed);
        let detached = take(&notes.detached);
        if detached > 0 {
            bin.reattach(detached);
        }
        let gone = take(&notes.gaps);
        if gone > 0 {
            bin.close_gap(gone);
        }
    }

    /// Detaches what is in a bin's main sheaf; returns whether there was anything.
    fn detach(&self, place: usize) -> bool {
        let detached = &self.notes(place).detached;
        let count = self.bin(place).detach();
        detached.store(detached.load(Relaxed) + count as u16, Relaxed);
        count > 0
    }

    /// Hands what is detached and was left alone to `give`.
    fn collect(&self, give: &mut dyn FnMut(usize, Taken<'_>)) {
        self.detached_at.store(0, Relaxed);
        self.visitor.store(0, Relaxed);
        for place in self.places() {
            let (bin, notes) = (self.bin(place), self.notes(place));
            let count = take(&notes.detached);
            if count == 0 {
                continue;
            }
            match bin.detached(count) {
                Some(objects) => {
                    give(place, Taken::Detached(objects));
                    let gone = usize::from(notes.gaps.load(Relaxed)) + count;
                    notes.gaps.store(gone as u16, Relaxed);
                    notes.last.store(0, Relaxed);
                }
                // The thread woke in between.
                None => bin.reattach(count),
            }
        }
    }

    /// Takes the spare sheaf of a bin and detaches its main one; returns whether there is anything in that.
    fn take_and_detach(&self, place: usize, give: &mut dyn FnMut(usize, Taken<'_>)) -> bool {
        if let Some(spare) = self.notes(place).spare.take() {
            give(place, Taken::Spare(spare));
        }
        self.detach(place)
    }

    /// Records which visitor detached something just now.
    fn note_detached(&self, visitor: u32) {
        self.detached_at.store(sys::milliseconds().max(1), Relaxed);
        self.visitor.store(visitor, Relaxed);
    }
}

impl ThreadCache {
    /// Takes what was detached `SETTLE_MS` ago or more. Then takes the spare sheaves and detaches the main ones of bins that the
    /// thread did not come to since the last visit, or of all.
    pub(crate) fn visit_named(&self, haste: Haste, give: &mut dyn FnMut(usize, Taken<'_>)) {
        let _busy = self.busy.lock();
        let named = &self.named;
        let detached_at = named.detached_at.load(Relaxed);
        if detached_at != 0 {
            if sys::milliseconds() < detached_at + SETTLE_MS {
                return;
            }
            named.collect(give);
        }
        let mut any = false;
        for place in named.places() {
            let is_idle = take(&named.notes(place).is_used) == 0;
            if haste == Haste::Now || is_idle && haste == Haste::IfIdle {
                any |= named.take_and_detach(place, give);
            }
        }
        if any {
            named.note_detached(0);
        }
    }

    /// Takes the spare sheaves and detaches the main ones, of one bin or of all, for a visitor who will call
    /// [`Self::take_detached_named`] with the same `number`, not 0; returns whether anything is detached.
    pub(crate) fn detach_named(
        &self,
        only: Option<usize>,
        number: u32,
        give: &mut dyn FnMut(usize, Taken<'_>),
    ) -> bool {
        let _busy = self.busy.lock();
        let named = &self.named;
        let places = named.places();
        let mut any = named.detached_at.load(Relaxed) != 0;
        for place in places.filter(|place| only.is_none_or(|only| only == *place)) {
            any |= named.take_and_detach(place, give);
        }
        if any {
            named.note_detached(number);
        }
        any
    }

    /// Takes what the visitor with that `number` has detached, if nobody came in between. Since then the cache's thread passed a
    /// barrier (`sys::barrier`), or `SETTLE_MS` passed.
    pub(crate) fn take_detached_named(&self, number: u32, give: &mut dyn FnMut(usize, Taken<'_>)) {
        let _busy = self.busy.lock();
        if self.named.visitor.load(Relaxed) == number && self.named.detached_at.load(Relaxed) != 0 {
            self.named.collect(give);
        }
    }
}

/// Takes a number, and leaves 0.
fn take(number: &AtomicU16) -> usize {
    let taken = number.load(Relaxed);
    number.store(0, Relaxed);
    usize::from(taken)
}
