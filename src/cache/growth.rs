//! Making way for what the program needs: where its node grows, or threads come, a cache gives up its objects.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::ThreadCache;
use crate::decay::Budget;
use crate::heap::Node;

/// What is cached may be this share of what is lent …
const SHARE: usize = 32;
/// … and as many bytes at least.
const LEAST: usize = 256 << 10;

// ORDERING: relaxed, see `mod.rs`.

impl ThreadCache {
    /// Whether the home node has grown, or more threads have come or gone, since this cache last made way.
    #[inline]
    pub(crate) fn is_in_the_way(&self) -> bool {
        let has_grown = |home: &Node| home.arena().growth() != self.growth.load(Relaxed);
        self.home.get().is_some_and(has_grown) || self.is_thread_count_stale()
    }

    /// Gives up what is cached, if that is much, and has the home node make way too, if it has grown by much. No memory
    /// goes back to the system unless that `may_purge`.
    #[cold]
    #[inline(never)]
    pub(crate) fn make_way(&self, may_purge: bool) {
        let Some(binding) = self.binding() else {
            return;
        };
        if self.is_thread_count_stale() {
            self.leave_room(binding);
        }
        let arena = binding.home.arena();
        self.growth.store(arena.growth(), Relaxed);
        if !arena.has_grown() {
            return;
        }
        let mut budget = Budget::of_a_call();
        if self.parked_bytes() > (arena.used_bytes() / SHARE).max(LEAST) {
            self.drain_within(&mut budget);
        }
        binding.heap.make_way(binding.home, may_purge, &mut budget);
    }
}
