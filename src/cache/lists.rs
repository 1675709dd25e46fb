//! The lists of caches: all, free ones, orphans, and those that ended threads left as they were.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::ThreadCache;
use crate::sync::StaticRef;
use crate::units::PAGE_SIZE;

/// More generations of parents than any process has.
pub(super) const WARM: u32 = u32::MAX;
/// Caches that are left as they were, at most …
pub(super) const WARM_CACHES: usize = 4;
/// … if what each holds is no more, and lies on no more pages: memory of 2 MiB in all.
pub(super) const WARM_BYTES: usize = 512 << 10;
pub(super) const WARM_PAGES: usize = WARM_BYTES / PAGE_SIZE;

/// What the registry's lock protects.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) all: StaticRef<ThreadCache>,
    pub(super) free: StaticRef<ThreadCache>,
    /// The next whose lifeline is looked at.
    pub(super) next_look: StaticRef<ThreadCache>,
    /// Orphans are this one or later ones of all.
    pub(super) orphans: StaticRef<ThreadCache>,
    /// Those that ended threads left as they were, the newest first.
    pub(super) warm: [StaticRef<ThreadCache>; WARM_CACHES],
}

impl Lists {
    /// Puts an empty cache on the list of free ones.
    pub(super) fn release(&self, cache: &'static ThreadCache) {
        // ORDERING: relaxed, under the lists' lock.
        cache.owned.store(0, Relaxed);
        cache.next_free.set(self.free.get());
        self.free.set(Some(cache));
    }

    /// Takes the newest cache that was left as it was.
    pub(super) fn take_warm(&self) -> Option<&'static ThreadCache> {
        let mut above = None;
        for place in self.warm.iter().rev() {
            let cache = place.get();
            place.set(above);
            above = cache;
        }
        above
    }

    /// Puts a cache there; `false` if there is no room.
    pub(super) fn put_warm(&self, cache: &'static ThreadCache) -> bool {
        if self.warm.last().is_some_and(|last| last.get().is_some()) {
            return false;
        }
        let mut newer = Some(cache);
        for place in &self.warm {
            let older = place.get();
            place.set(newer);
            newer = older;
        }
        true
    }
}
