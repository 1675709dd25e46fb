//! Taking back what is cached by threads that do nothing, while they may wake at any moment.
//!
//! # Invariant
//!
//! An object leaves a main sheaf through its thread, or by being detached, unless the thread took it; never both.
//!
//! # How
//!
//! The spare sheaf is touched only under the cache's lock, whose holder may take it. The
//! main sheaf belongs to its thread, whose fast path has no lock. It is taken in two steps. First
//! its bottom is raised to its top: `detach`. The thread's `pop` lowers `top` and looks at the bottom
//! then, in this order; so it either sees that, gives up and comes to the slow path, where it
//! waits for the lock and reattaches them, or has lowered `top` before, which shows. Some time
//! later, if `top` is still not below the raised bottom, what lies under that is taken. This is the
//! protocol of Cilk's work-stealing queues (Frigo, Leiserson, Randall, 1998) without the barrier
//! between the thread's store and its load. That barrier is replaced by the time between detaching and
//! taking: processors hold a store back for less than microseconds, and an interrupt or a change
//! of threads ends it (Morrison and Afek, "Temporally Bounding TSO for Fence-Free Asymmetric
//! Synchronization", 2015). `membarrier` would do the same at once, but programs in a sandbox would
//! not survive it, so rounds do not use it; `malloc_trim` does where it may (`global/trim.rs`). Wherever the thread is stopped, for however long, it has lowered `top` or will
//! look at the bottom again. `tests/models` checks all orders.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::{Binding, ThreadCache};
use crate::decay::Budget;
use crate::slab::class;
use crate::sys;
use crate::units::{ClassId, PAGE_SIZE};

/// Time that must pass between detaching and taking, in milliseconds. Timer interrupts come several
/// times within it.
pub(crate) const SETTLE_MS: u64 = 20;

/// One slow path in this many reads the clock, which costs as much as a tenth of it.
const CLOCK_SHARE: u32 = 4;

/// Whose objects are detached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// Nothing is detached.
    #[cfg(test)]
    Never,
    /// Only what was not refilled since the last visit is detached.
    IfIdle,
    /// All is detached.
    Now,
}

// ORDERING: relaxed, see the module above; what orders the accesses to a main sheaf stands there.

impl ThreadCache {
    /// Takes what was detached `SETTLE_MS` ago or more. Then takes the spare sheaves and detaches the main
    /// ones of classes that were not refilled since the last visit. The bytes that were taken.
    ///
    /// A thread that lives from one main sheaf comes to the slow path once for each visit because of that,
    /// one that only frees not at all.
    pub(crate) fn visit(&self, haste: Haste, budget: &mut Budget) -> usize {
        let _busy = self.busy.lock();
        let Some(binding) = self.binding() else {
            return 0;
        };
        let detached_at = self.detached_at.load(Relaxed);
        let mut taken = 0;
        if detached_at != 0 {
            if sys::milliseconds() < detached_at + SETTLE_MS {
                return 0;
            }
            taken += self.collect(binding, budget);
        }
        taken + self.detach_some(binding, haste, 0, budget)
    }

    /// Takes the spare sheaves and detaches the main ones for a visitor who will call `take_detached` with the same
    /// `number`, not 0. Returns the bytes that were taken, and whether anything was detached.
    pub(crate) fn detach_for(
        &self,
        number: u32,
        haste: Haste,
        budget: &mut Budget,
    ) -> (usize, bool) {
        let _busy = self.busy.lock();
        let Some(binding) = self.binding() else {
            return (0, false);
        };
        let taken = self.detach_some(binding, haste, number, budget);
        // What others have detached counts from now on, too.
        self.visitor.store(number, Relaxed);
        (taken, self.has_detached())
    }

    /// Takes what the visitor with that `number` has detached, if nobody came in between. Since then the cache's thread
    /// passed a barrier (`sys::barrier`), or `SETTLE_MS` passed. The bytes that were taken.
    pub(crate) fn take_detached(&self, number: u32, budget: &mut Budget) -> usize {
        let _busy = self.busy.lock();
        let Some(binding) = self.binding() else {
            return 0;
        };
        if self.visitor.load(Relaxed) != number || !self.has_detached() {
            return 0;
        }
        self.collect(binding, budget)
    }

    /// Takes spare sheaves and detaches main ones, in the name of the visitor with that number; the bytes that were taken.
    fn detach_some(
        &self,
        binding: Binding,
        haste: Haste,
        visitor: u32,
        budget: &mut Budget,
    ) -> usize {
        let (mut taken, mut any) = (0, false);
        for id in class::every() {
            let is_idle = self.get(&self.refilled, id) == 0;
            self.set(&self.refilled, id, 0);
            if haste == Haste::Now || is_idle && haste == Haste::IfIdle {
                budget.flush(self.spare(id).count());
                taken += self.take_spare(binding, id);
                any |= self.detach(id);
            }
        }
        budget.visit();
        if any {
            // After detaching, however long they took.
            self.detached_at.store(sys::milliseconds().max(1), Relaxed);
            self.visitor.store(visitor, Relaxed);
        }
        taken
    }

    /// Detaches all that is in the calling thread's own main sheaves, under the lock.
    ///
    /// A thread that frees nearly all it has does so: its next `malloc` then takes the slow path, where
    /// a purge begins if it comes much later.
    pub(super) fn detach_own(&self) {
        let mut any = false;
        for id in class::every() {
            any |= self.detach(id);
        }
        if any && !self.has_detached() {
            // The thread knows of that at once.
            self.detached_at.store(1, Relaxed);
        }
    }

    /// Detaches what is in a main sheaf; returns whether there was anything.
    fn detach(&self, id: ClassId) -> bool {
        let count = self.bin(id).detach();
        if count > 0 {
            self.set(&self.detached, id, self.get(&self.detached, id) + count);
        }
        count > 0
    }

    /// Bytes of the objects that are cached here.
    pub(crate) fn parked_bytes(&self) -> usize {
        class::every()
            .map(|id| self.cached(id) * class::info(id).size as usize)
            .sum()
    }

    /// How many spans wait here, and their bytes.
    pub(crate) fn waiting_spans(&self) -> (usize, usize) {
        class::spans().fold((0, 0), |(count, bytes), id| {
            let count_here = self.cached(id);
            (
                count + count_here,
                bytes + count_here * class::info(id).size as usize,
            )
        })
    }

    /// Bytes of the pages that the objects cached here may keep from the system: each may lie on one of its own.
    pub(crate) fn pinned_bytes(&self) -> usize {
        class::every()
            .map(|id| self.cached(id) * (class::info(id).size as usize).max(PAGE_SIZE))
            .sum()
    }

    /// Whether objects are detached that can be taken later.
    pub(crate) fn has_detached(&self) -> bool {
        self.detached_at.load(Relaxed) != 0
    }

    /// Reattaches a bin's main sheaf and closes the gap that an earlier one left. Every slow
    /// path of the cache's thread begins with it, under the lock.
    #[inline]
    pub(super) fn reattach(&self, id: ClassId) {
        let detached = self.get(&self.detached, id);
        if detached > 0 {
            self.bin(id).reattach(detached);
            self.set(&self.detached, id, 0);
            // Perhaps the thread has slept.
            self.slow_paths.store(CLOCK_SHARE, Relaxed);
        }
        let gone = self.get(&self.gaps, id);
        if gone > 0 {
            self.bin(id).close_gap(gone);
            self.set(&self.gaps, id, 0);
        }
    }

    /// Whether to look at the clock on this slow path: one in some does.
    #[inline]
    pub(crate) fn is_time_to_look(&self) -> bool {
        let count = self.slow_paths.load(Relaxed) + 1;
        let is_time = count >= CLOCK_SHARE;
        self.slow_paths
            .store(if is_time { 0 } else { count }, Relaxed);
        is_time
    }

    /// Reattaches everything and closes all gaps; the thread does not run, or is the caller.
    pub(super) fn reattach_all(&self) {
        class::every().for_each(|id| self.reattach(id));
        self.detached_at.store(0, Relaxed);
        self.visitor.store(0, Relaxed);
    }

    /// Objects of a class that are detached.
    pub(super) fn detached_of(&self, id: ClassId) -> usize {
        self.get(&self.detached, id)
    }

    /// Takes what is detached and was left alone; bytes.
    fn collect(&self, binding: Binding, budget: &mut Budget) -> usize {
        self.detached_at.store(0, Relaxed);
        self.visitor.store(0, Relaxed);
        let mut bytes = 0;
        for id in class::every() {
            let count = self.get(&self.detached, id);
            if count == 0 {
                continue;
            }
            self.set(&self.detached, id, 0);
            match self.bin(id).detached(count) {
                Some(objects) => {
                    binding.heap.take_back_unmoved(binding.home, id, objects);
                    budget.flush(count);
                    self.set(&self.gaps, id, self.get(&self.gaps, id) + count);
                    self.set(&self.refills, id, 0);
                    bytes += count * class::info(id).size as usize;
                }
                // The thread woke in between.
                None => self.bin(id).reattach(count),
            }
        }
        bytes
    }

    fn take_spare(&self, binding: Binding, id: ClassId) -> usize {
        let Some(spare) = self.spare(id).take() else {
            return 0;
        };
        let bytes = spare.count() * class::info(id).size as usize;
        self.put_away(binding, id, spare);
        bytes
    }
}
