//! All thread caches of a heap: birth, exit, and adoption of what the dead leave.
//!
//! # Invariant
//!
//! Every cache that was ever made is on the list of all. `owned` of each has this process's generation if a thread owns it,
//! an earlier one if its thread stayed in the parent of a fork (an orphan), [`WARM`] if its thread has ended and left it as
//! it was for the next, and 0 if it is on the list of free ones.
//! Caches are never given back: their number is that of the most threads at once.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};

use super::lists::{Lists, WARM, WARM_BYTES, WARM_CACHES, WARM_PAGES};
use super::{Binding, ThreadCache};
use crate::sync::{Lock, StaticRef};

/// Caches that a birth looks at. More than one, so that of the caches of threads that come and go a quarter at most have
/// no thread.
const LOOKS: usize = 4;

/// All thread caches.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(super) lists: Lock<Lists>,
    /// Caches that a thread owns.
    pub(super) owned: AtomicUsize,
    /// Threads that ever had one.
    pub(super) births: AtomicUsize,
    /// Whether any of them ever had a lifeline.
    pub(super) has_lifelines: AtomicBool,
    /// One more than in the parent, if that had several threads when it forked.
    pub(super) generation: AtomicU32,
}

impl Registry {
    /// No caches.
    pub(crate) const fn new() -> Self {
        Self {
            lists: Lock::new(Lists {
                all: StaticRef::none(),
                free: StaticRef::none(),
                next_look: StaticRef::none(),
                orphans: StaticRef::none(),
                warm: [const { StaticRef::none() }; WARM_CACHES],
            }),
            owned: AtomicUsize::new(0),
            births: AtomicUsize::new(0),
            has_lifelines: AtomicBool::new(false),
            generation: AtomicU32::new(1),
        }
    }

    /// Number of caches that a thread owns.
    pub(crate) fn count(&self) -> usize {
        // ORDERING: relaxed, a number that decides about threads.
        self.owned.load(Relaxed)
    }

    /// Number of threads that ever had a cache.
    pub(crate) fn births(&self) -> usize {
        // ORDERING: relaxed, a number for reports.
        self.births.load(Relaxed)
    }

    /// A cache for a new thread; `None` where there is no memory for one.
    pub(crate) fn birth(&self, binding: Binding) -> Option<&'static ThreadCache> {
        self.reap(LOOKS);
        let lists = self.lists.lock();
        let warm = lists.take_warm();
        let is_at_home = warm.is_some_and(|cache| cache.is_at_home(binding));
        if let Some(cache) = warm.filter(|_| !is_at_home) {
            cache.drain();
        }
        let cache = match warm.or(lists.free.get()) {
            Some(cache) if warm.is_some() => cache,
            Some(cache) => {
                lists.free.set(cache.next_free.get());
                cache
            }
            None => match self.next_orphan(&lists) {
                Some(orphan) => {
                    orphan.drain();
                    orphan
                }
                None => {
                    let cache = binding.home.metadata().zeroed::<ThreadCache>()?;
                    cache.next.set(lists.all.get());
                    lists.all.set(Some(cache));
                    cache
                }
            },
        };
        if !is_at_home {
            // Who visits caches does not hold the lists' lock.
            let _busy = cache.busy.lock();
            cache.move_in(binding);
        }
        cache.begin_in_cluster(binding);
        // ORDERING: relaxed, under the lists' lock. A thread that did not survive a fork may have been inside.
        cache.inside.store(0, Relaxed);
        cache.lifeline.forget();
        cache.set_noticed(false);
        // ORDERING: as above.
        cache.owned.store(self.generation.load(Relaxed), Relaxed);
        // ORDERING: relaxed, as above.
        self.births.fetch_add(1, Relaxed);
        // ORDERING: relaxed, as above.
        let others = self.owned.fetch_add(1, Relaxed);
        binding.heap.note_threads(others + 1);
        Some(cache)
    }

    /// Takes a cache back whose thread ends; its objects go to the barns and slabs.
    pub(crate) fn exit(&self, cache: &'static ThreadCache) {
        cache.drain();
        let lists = self.lists.lock();
        self.disown(cache, 0);
        lists.release(cache);
    }

    /// Takes a cache back whose thread ends, and leaves its objects to the next thread, if those are not many. What the
    /// thread has freed twice goes to the slabs, where it shows.
    pub(crate) fn leave(&self, cache: &'static ThreadCache) {
        cache.drain_remote();
        let is_tiny = cache
            .binding()
            .is_some_and(|binding| binding.heap.is_tiny());
        let is_little = cache.parked_bytes() <= WARM_BYTES && cache.small_pages() <= WARM_PAGES;
        if !is_tiny && is_little && !cache.has_twins() {
            let lists = self.lists.lock();
            if lists.put_warm(cache) {
                return self.disown(cache, WARM);
            }
        }
        self.exit(cache);
    }

    /// Takes back what ended threads have left; returns whether there was anything. Under the lists' lock, for a fork.
    pub(crate) fn cool_all(&self) -> bool {
        let mut any = false;
        loop {
            let lists = self.lists.lock();
            let Some(cache) = lists.take_warm() else {
                return any;
            };
            cache.drain();
            lists.release(cache);
            any = true;
        }
    }

    /// In a forked child: the caches of all threads but the surviving one's are orphans from now on.
    pub(crate) fn begin_child(&self, survivor: Option<&ThreadCache>) {
        let lists = self.lists.lock();
        // ORDERING: relaxed, the child has one thread.
        let generation = self.generation.load(Relaxed).wrapping_add(1).max(1);
        self.generation.store(generation, Relaxed);
        lists.orphans.set(lists.all.get());
        if let Some(cache) = survivor {
            cache.owned.store(generation, Relaxed);
        }
        let threads = usize::from(survivor.is_some());
        self.owned.store(threads, Relaxed);
        if let Some(binding) = survivor.and_then(ThreadCache::binding) {
            binding.heap.note_threads(threads);
        }
    }

    /// Takes at most `most` orphans back; their objects go to the barns and slabs.
    pub(crate) fn adopt_orphans(&self, most: usize) {
        for _ in 0..most {
            let lists = self.lists.lock();
            let Some(orphan) = self.next_orphan(&lists) else {
                return;
            };
            orphan.drain();
            lists.release(orphan);
        }
    }

    /// The next orphan, which the caller gives an owner or releases.
    fn next_orphan(&self, lists: &Lists) -> Option<&'static ThreadCache> {
        // ORDERING: relaxed, under the lists' lock.
        let generation = self.generation.load(Relaxed);
        while let Some(cache) = lists.orphans.get() {
            lists.orphans.set(cache.next.get());
            // ORDERING: as above.
            let owned = cache.owned.load(Relaxed);
            if owned != 0 && owned != generation && owned != WARM {
                return Some(cache);
            }
        }
        None
    }

    /// Whether the calling thread holds the lists' lock, and was interrupted with it.
    pub(crate) fn is_own(&self) -> bool {
        self.lists.is_own()
    }

    /// Whether nobody holds the lists' lock at this moment.
    pub(crate) fn is_quiet(&self) -> bool {
        self.lists.is_free()
    }

    /// Calls `look` with every cache that a thread owns, or was left with something in it.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&'static ThreadCache)) {
        let lists = self.lists.lock();
        // ORDERING: relaxed, under the lists' lock.
        each(&lists)
            .filter(|cache| cache.owned.load(Relaxed) != 0)
            .for_each(&mut look);
    }

    /// The next cache after `last`, or the first, that a thread owns at this moment, or was left with something in it. Caches that are made
    /// meanwhile may be missed; the lock is not held while the caller looks at one.
    pub(crate) fn next(&self, last: Option<&'static ThreadCache>) -> Option<&'static ThreadCache> {
        let lists = self.lists.lock();
        let first = match last {
            Some(last) => last.next.get(),
            None => lists.all.get(),
        };
        // ORDERING: relaxed, under the lists' lock.
        let is_owned = |cache: &&ThreadCache| cache.owned.load(Relaxed) != 0;
        core::iter::successors(first, |cache| cache.next.get()).find(is_owned)
    }

    /// The cache after `last`, or the first, whether a thread owns it or not.
    pub(crate) fn next_of_all(
        &self,
        last: Option<&'static ThreadCache>,
    ) -> Option<&'static ThreadCache> {
        let lists = self.lists.lock();
        match last {
            Some(last) => last.next.get(),
            None => lists.all.get(),
        }
    }

    /// Takes the registry's and every cache's lock, to hold them until the fork is over.
    pub(crate) fn hold_for_fork(&self) {
        self.lists.hold_for_fork();
        each(&self.lists.lock()).for_each(|cache| cache.busy.hold_for_fork());
    }

    /// Whether a thread of this process owns the cache.
    pub(super) fn is_owned(&self, cache: &ThreadCache) -> bool {
        // ORDERING: relaxed, under the lists' lock.
        cache.owned.load(Relaxed) == self.generation.load(Relaxed)
    }

    /// Has a cache without a thread from now on.
    pub(super) fn disown(&self, cache: &'static ThreadCache, owned: u32) {
        // ORDERING: relaxed, under the lists' lock.
        let threads = self.owned.fetch_sub(1, Relaxed);
        if let Some(binding) = cache.binding() {
            binding.heap.note_threads(threads - 1);
        }
        // ORDERING: as above.
        cache.owned.store(owned, Relaxed);
    }
}

fn each(lists: &Lists) -> impl Iterator<Item = &'static ThreadCache> {
    core::iter::successors(lists.all.get(), |cache| cache.next.get())
}
