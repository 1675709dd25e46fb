//! How much a thread's sheaves for larger objects have room for: each object is worth many small ones.
//!
//! # Invariant
//!
//! A sheaf for larger objects is opened only where those of its thread then have room for no more than its share, as it is
//! at that moment.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::first::is_small;
use super::{Binding, ThreadCache, sizing};
use crate::heap::Heap;
use crate::slab::class;
use crate::units::ClassId;

// ORDERING: relaxed, see `mod.rs`.

impl ThreadCache {
    /// How many objects of class `id` a sheaf that is opened now has room for; 0 where they are not worth it. If the others
    /// have room for many already, they are emptied first.
    pub(super) fn first_room(&self, binding: Binding, id: ClassId) -> usize {
        let room = most(binding, id).min(sizing::FIRST_CAPACITY);
        if room > 0 && sizing::is_larger(id) {
            let others: usize = larger().map(|id| self.room_bytes(id)).sum();
            if others + room * size(id) > share(binding) {
                self.close_larger(binding);
            }
        }
        room
    }

    /// Whether there are twice as many threads, or half as many, as when this was last looked at.
    #[inline]
    pub(super) fn is_thread_count_stale(&self) -> bool {
        let threads = self.heap.get().map_or(0, Heap::threads).max(sizing::FEW);
        let known = (self.seen_threads.load(Relaxed) as usize).max(sizing::FEW);
        threads > 2 * known || 2 * threads < known
    }

    /// Gives up sheaves whose room is that of fewer threads than there are.
    pub(super) fn leave_room(&self, binding: Binding) {
        let _busy = self.busy.lock();
        let threads = binding.heap.threads() as u32;
        if self.seen_threads.swap(threads, Relaxed) < threads {
            self.close_larger(binding);
        }
    }

    /// Empties and takes out all sheaves for larger objects; the caller holds the cache's lock.
    #[cold]
    fn close_larger(&self, binding: Binding) {
        for id in larger() {
            self.reattach(id);
            self.close(binding, id);
        }
    }

    /// Empties and takes out the sheaves of a class; the caller holds the cache's lock.
    pub(super) fn close(&self, binding: Binding, id: ClassId) {
        let bin = self.bin(id);
        if is_small(bin, id) || class::is_span(id) {
            return self.close_small(binding, id);
        }
        for sheaf in [bin.close(), self.spare(id).take()].into_iter().flatten() {
            self.put_away(binding, id, sheaf);
        }
    }

    /// Number of objects of a class that are cached here; another thread sees a moment of it, which is
    /// never more than there is room for.
    pub(crate) fn cached(&self, id: ClassId) -> usize {
        let count = self.bin(id).main_count() + self.spare(id).count();
        (count + self.detached_of(id)).min(2 * sizing::capacity(id))
    }

    /// Bytes that the sheaves of a class have room for.
    fn room_bytes(&self, id: ClassId) -> usize {
        let bin = self.bin(id);
        if !bin.has_main() {
            return 0;
        }
        let spare = if self.spare(id).is_some() {
            sizing::capacity(id)
        } else {
            0
        };
        (bin.capacity() + spare) * size(id)
    }
}

/// The room that a main sheaf of this class may have.
pub(super) fn most(binding: Binding, id: ClassId) -> usize {
    let (capacity, threads) = (sizing::capacity(id), binding.heap.threads());
    if sizing::is_larger(id) {
        sizing::room(id, share(binding))
    } else if binding.heap.is_tiny() {
        sizing::tiny_room(id)
    } else if threads > sizing::MANY_THREADS {
        capacity.min(sizing::SECOND_CAPACITY)
    } else {
        capacity
    }
}

/// Whether the sheaves of this class may have a spare one.
pub(super) fn may_have_spare(binding: Binding, id: ClassId) -> bool {
    !binding.heap.is_tiny() && (!sizing::is_larger(id) || binding.heap.threads() <= sizing::FEW)
}

/// Bytes of larger objects that a thread's sheaves have room for.
fn share(binding: Binding) -> usize {
    match binding.heap.is_tiny() {
        true => sizing::tiny_share(binding.heap.threads()),
        false => sizing::share(binding.heap.threads(), binding.home.arena().used_bytes()),
    }
}

fn larger() -> impl Iterator<Item = ClassId> {
    class::every().filter(|id| sizing::is_larger(*id))
}

fn size(id: ClassId) -> usize {
    class::info(id).size as usize
}
