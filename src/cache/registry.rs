//! All thread caches of a heap: birth, exit, and adoption of what the dead leave.
//!
//! # Invariant
//!
//! Every cache that was ever made is on the list of all; those without a thread are on the list
//! of free ones too. Caches are never given back: their number is that of the most threads at once.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::{ThreadCache, Ties};
use crate::sync::{Guard, Lock, StaticRef};

/// All thread caches.
#[derive(Debug)]
pub(crate) struct Registry(Lock<Lists>);

#[derive(Debug)]
struct Lists {
    all: StaticRef<ThreadCache>,
    free: StaticRef<ThreadCache>,
}

impl Registry {
    /// No caches.
    pub(crate) const fn new() -> Self {
        Self(Lock::new(Lists { all: StaticRef::none(), free: StaticRef::none() }))
    }

    /// A cache for a new thread; `None` where there is no memory for one.
    pub(crate) fn birth(&self, ties: Ties) -> Option<&'static ThreadCache> {
        let lists = self.0.lock();
        let cache = match lists.free.get() {
            Some(cache) => {
                lists.free.set(cache.next_free.get());
                cache
            }
            None => {
                let cache = ties.home.metadata().place(ThreadCache::vacant())?;
                cache.next.set(lists.all.get());
                lists.all.set(Some(cache));
                cache
            }
        };
        cache.move_in(ties);
        // ORDERING: relaxed, under the lists' lock.
        cache.owned.store(1, Relaxed);
        Some(cache)
    }

    /// Takes a cache back whose thread ends; what waits in it goes to the barns and slabs.
    pub(crate) fn exit(&self, cache: &'static ThreadCache) {
        cache.drain();
        let lists = self.0.lock();
        Self::retire(&lists, cache);
    }

    /// In a forked child: takes the caches of all threads back that stayed in the parent.
    pub(crate) fn adopt_orphans(&self, survivor: &ThreadCache) {
        let lists = self.0.lock();
        for cache in each(&lists) {
            // ORDERING: relaxed, the child has one thread.
            if cache.owned.load(Relaxed) != 0 && !core::ptr::eq(cache, survivor) {
                cache.drain();
                Self::retire(&lists, cache);
            }
        }
    }

    /// Calls `look` with every cache that a thread owns.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&'static ThreadCache)) {
        let lists = self.0.lock();
        // ORDERING: relaxed, under the lists' lock.
        each(&lists).filter(|cache| cache.owned.load(Relaxed) != 0).for_each(&mut look);
    }

    /// Takes the registry's and every cache's lock, to hold them across a fork.
    pub(crate) fn acquire(&self) {
        let lists = self.0.lock();
        each(&lists).for_each(|cache| cache.busy.acquire());
        // Held on: the guard would free it.
        core::mem::forget(lists);
    }

    /// Frees all these locks in the parent of a fork.
    pub(crate) fn release(&self) {
        self.each_held(|cache| cache.busy.release());
        self.0.release();
    }

    /// Frees all these locks in the child of a fork.
    pub(crate) fn rearm(&self) {
        self.each_held(|cache| cache.busy.rearm());
        self.0.rearm();
    }

    /// Visits every cache while the lock is held across a fork.
    fn each_held(&self, look: impl FnMut(&'static ThreadCache)) {
        let lists = self.0.adopt();
        each(&lists).for_each(look);
        core::mem::forget(lists);
    }

    fn retire(lists: &Guard<'_, Lists>, cache: &'static ThreadCache) {
        // ORDERING: relaxed, under the lists' lock.
        cache.owned.store(0, Relaxed);
        cache.next_free.set(lists.free.get());
        lists.free.set(Some(cache));
    }
}

fn each(lists: &Lists) -> impl Iterator<Item = &'static ThreadCache> {
    core::iter::successors(lists.all.get(), |cache| cache.next.get())
}
