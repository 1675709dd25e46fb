//! Reserves of mempools: objects of a cache that only a mempool hands out, and that come back to it however they are freed.
//!
//! # Invariant
//!
//! A reserve is a cache of its own, like its base but for its slabs: so each of its objects is known as one by its address. It
//! has slabs with memory for as many objects as its limit says, never gives one back while it exists, and no sheaf.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::fence;

use super::args::CacheArgs;
use super::cache::NamedCache;
use super::create::{KmemError, MOST_NAME};
use super::flags::{DEBUGGED, SLAB_TYPESAFE_BY_RCU};
use super::hooks::touch;
use super::{Caller, Gfp, Kmem, sizing};
use crate::cache::Registry;
use crate::slab::SheafStack;
use crate::sys;

/// The most objects of a reserve.
const MOST: usize = 65_535;
/// What a reserve's name ends in.
const SUFFIX: &[u8] = b" (reserve)";
/// How a reserve is filled.
const KERNEL: Gfp = Gfp::KERNEL;

impl NamedCache {
    /// The cache whose reserve this is.
    pub(crate) fn base(&self) -> Option<&'static NamedCache> {
        self.base.get()
    }

    /// Objects of this reserve, in use or not.
    fn reserved(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// Records that an object may have come back, and wakes a thread that waits for one.
    pub(crate) fn notify(&self) {
        // ORDERING: release, with the acquire in `wait`. Of the two fences one is first: either the waiting thread sees the turn,
        // and the object with it, or it is seen waiting.
        self.turn.fetch_add(1, Release);
        fence(SeqCst);
        if self.waiters.load(Relaxed) > 0 {
            sys::futex_wake(&self.turn, 1);
        }
    }

    /// Waits until an object may have come back to this reserve, or for a moment; `take` is tried before.
    pub(crate) fn wait<T>(&self, take: impl FnOnce() -> Option<T>) -> Option<T> {
        // ORDERING: as in `notify`.
        self.waiters.fetch_add(1, Relaxed);
        fence(SeqCst);
        let base = self.base();
        base.inspect(|base| base.starve());
        let seen = self.turn.load(Acquire);
        let taken = take();
        if taken.is_none() {
            // An object of the cache itself comes back without notice.
            sys::futex_wait_briefly(&self.turn, seen);
        }
        self.stop_waiting();
        base.inspect(|base| base.stop_waiting());
        taken
    }

    /// Has every thread that comes by give back what it has at hand, since one waits for an object.
    fn starve(&self) {
        self.waiters.fetch_add(1, Relaxed);
    }

    /// One thread waits no longer.
    fn stop_waiting(&self) {
        // In a child of a signal handler's that interrupted this, nobody is counted any more.
        let less = |waiters: u32| waiters.checked_sub(1);
        let _ = self.waiters.fetch_update(Relaxed, Relaxed, less);
    }

    /// In a forked child: no thread waits.
    pub(super) fn forget_waiting(&self) {
        // What is only read is not copied.
        if self.waiters.load(Relaxed) > 0 {
            self.waiters.store(0, Relaxed);
        }
    }

    /// Whether a thread waits for an object of this cache, which no thread's sheaves may have then.
    pub(super) fn is_starved(&self) -> bool {
        self.waiters.load(Relaxed) > 0
    }
}

impl Kmem {
    /// A reserve of `count` objects like those of `base`.
    pub(crate) fn create_reserve(
        &self,
        caller: Option<Caller>,
        base: &'static NamedCache,
        count: usize,
        threads: &Registry,
    ) -> Result<&'static NamedCache, KmemError> {
        if !(1..=MOST).contains(&count) || !base.exists() || base.base().is_some() {
            return Err(KmemError::Invalid);
        }
        if !self.charge_all(caller, base, count) {
            return Err(KmemError::NoMemory);
        }
        let mut name = [0; MOST_NAME];
        let title = base.title().iter().take(MOST_NAME - SUFFIX.len());
        let bytes = title.chain(SUFFIX);
        let length = name.iter_mut().zip(bytes).map(|(to, from)| *to = *from);
        let length = length.count();
        let is_typesafe = if base.is_typesafe() {
            SLAB_TYPESAFE_BY_RCU
        } else {
            0
        };
        let args = CacheArgs {
            limit: count,
            ..base.args()
        };
        let reserve = self.build(
            name.get(..length).unwrap_or_default(),
            (base.size(), base.class(), base.alignment()),
            args,
            base.checks.load(Relaxed) | is_typesafe | DEBUGGED,
            Some(base),
        );
        let Some(reserve) = reserve else {
            base.uncharge(count);
            return Err(KmemError::NoMemory);
        };
        if !self.ensure(caller, reserve, count) {
            let _ = self.destroy(caller, reserve, threads);
            base.uncharge(count);
            return Err(KmemError::NoMemory);
        }
        Ok(reserve)
    }

    /// Changes how many objects a reserve has.
    pub(crate) fn resize_reserve(
        &self,
        caller: Option<Caller>,
        reserve: &'static NamedCache,
        count: usize,
    ) -> Result<(), KmemError> {
        let base = reserve.base().filter(|_| reserve.exists());
        let base = base.filter(|_| (1..=MOST).contains(&count));
        let base = base.ok_or(KmemError::Invalid)?;
        let before = reserve.reserved();
        let more = count.saturating_sub(before);
        if count < before && reserve.out() > count {
            // The limit of the cache counts what is out of a reserve by its size.
            return Err(KmemError::InUse);
        }
        let is_there = more == 0 || self.charge_all(caller, base, more);
        if !is_there {
            return Err(KmemError::NoMemory);
        }
        let wanted = count.saturating_sub(reserve.out());
        if more > 0 && !self.ensure(caller, reserve, wanted) {
            base.uncharge(more);
            return Err(KmemError::NoMemory);
        }
        base.uncharge(before.saturating_sub(count));
        reserve.limit.store(count, Relaxed);
        reserve.notify();
        Ok(())
    }

    /// Destroys a reserve; `false` if objects of it are in use, which is reported.
    pub(crate) fn destroy_reserve(
        &self,
        caller: Option<Caller>,
        reserve: &'static NamedCache,
        threads: &Registry,
    ) -> Result<(), KmemError> {
        let base = reserve.base().ok_or(KmemError::Invalid)?;
        let count = reserve.reserved();
        self.destroy(caller, reserve, threads)?;
        base.uncharge(count);
        Ok(())
    }

    /// Counts objects of a cache as out, after what is at hand has gone back if need be.
    fn charge_all(&self, caller: Option<Caller>, base: &'static NamedCache, count: usize) -> bool {
        if base.charge_all(count) {
            return true;
        }
        caller.inspect(|(thread, _)| self.drain_bin(thread, base));
        self.empty_barns(base);
        base.charge_all(count)
    }

    /// Makes slabs for a reserve until `count` objects are free in them, which have been constructed and have memory.
    fn ensure(&self, caller: Option<Caller>, reserve: &'static NamedCache, count: usize) -> bool {
        let Some(home) = self.heap.nodes().next() else {
            return false;
        };
        let home = caller.map_or(home, |(_, binding)| binding.home);
        let (mut taken, mut got) = (SheafStack::default(), 0);
        while got < count {
            let Some(sheaf) = self.store.new_sheaf(sizing::MOST_CAPACITY) else {
                break;
            };
            let wanted = (count - got).min(sizing::MOST_CAPACITY);
            let (mut sheaf, filled) = self.fill_waiting(reserve, home, sheaf, wanted, KERNEL);
            reserve.construct(caller, &mut sheaf);
            for object in sheaf.objects() {
                touch(*object, reserve.size());
            }
            reserve.out.fetch_add(filled, Relaxed);
            taken.push(sheaf);
            got += filled;
            if filled < wanted {
                break;
            }
        }
        while let Some(sheaf) = taken.pop() {
            let empty = self.flush(reserve, sheaf);
            self.store.give_sheaf(empty, sizing::MOST_CAPACITY);
        }
        got == count
    }
}
