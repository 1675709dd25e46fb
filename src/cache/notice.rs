//! Notice of a thread's end: by a hook that takes its cache back, or where there can be none by a lifeline, which
//! somebody else has to look at.
//!
//! # Invariant
//!
//! A cache with an owner has a hook or a lifeline, but for that of the process's first thread, which may have neither.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::{Registry, ThreadCache};

// ORDERING: relaxed, see the module above.

impl ThreadCache {
    /// Whether something gives notice of its thread's end.
    pub(crate) fn is_noticed(&self) -> bool {
        self.is_noticed.load(Relaxed) != 0
    }

    /// Records whether something gives notice of its thread's end.
    pub(crate) fn set_noticed(&self, is_noticed: bool) {
        self.is_noticed.store(u32::from(is_noticed), Relaxed);
    }

    /// In the child of a fork: the lifeline of its only thread has to be tied again.
    pub(crate) fn begin_child(&self) {
        self.lifeline.tie_again();
    }
}

impl Registry {
    /// Has the caches looked at for the calling thread's end; returns `false` if that cannot be arranged.
    pub(crate) fn tie(&self, cache: &ThreadCache) -> bool {
        let _lists = self.lists.lock();
        let is_tied = cache.lifeline.tie();
        if is_tied {
            self.has_lifelines.store(true, Relaxed);
        }
        is_tied
    }

    /// Whether there are threads whose end shows only when somebody looks.
    pub(crate) fn has_lifelines(&self) -> bool {
        self.has_lifelines.load(Relaxed)
    }

    /// Takes back the caches of threads that ended without a hook, looking at no more than `most` caches.
    pub(crate) fn reap(&self, most: usize) {
        if self.has_lifelines() {
            self.reap_some(most);
        }
    }

    #[cold]
    fn reap_some(&self, most: usize) {
        let lists = self.lists.lock();
        let Some(first) = lists.next_look.get().or(lists.all.get()) else {
            return;
        };
        let mut cache = first;
        for _ in 0..most {
            // A thread that died inside of the allocator holds locks for ever.
            let is_over =
                self.is_owned(cache) && cache.lifeline.is_cut() && !cache.is_interrupted();
            if is_over {
                cache.drain();
                self.disown(cache, 0);
                lists.release(cache);
            }
            cache = cache.next.get().or(lists.all.get()).unwrap_or(first);
            if core::ptr::eq(cache, first) {
                break;
            }
        }
        lists.next_look.set(Some(cache));
    }
}
