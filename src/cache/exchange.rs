//! The commonest slow path: a main sheaf is empty, or full, and the spare one is not. The two change places.
//!
//! # Invariant
//!
//! Whatever else there may be to do is left to the other slow paths: then nothing happens here.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::first::is_small;
use super::{ThreadCache, class_of_granule, own, sizing};
use crate::slab::{Object, class};
use crate::units::{ClassId, GRANULE_SHIFT};

// ORDERING: relaxed, as in `mod.rs`.

impl ThreadCache {
    /// An object of class `id`, at most 48 KiB, from the spare sheaf, which becomes the main one.
    // Apart, as the other ways on from here need nearly all of the stack that is allowed.
    #[inline(never)]
    pub(crate) fn exchange_empty(&self, id: ClassId) -> Option<Object> {
        self.exchange(id, || {
            let bin = self.bin(id);
            if bin.main_count() > 0 || !bin.swap_for_objects(self.spare(id), sizing::capacity(id)) {
                return None;
            }
            self.set(&self.refilled, id, 1);
            bin.take()
        })
    }

    /// Puts a small object of this cache's node on the spare sheaf, which becomes the main one; `false` for any other address.
    #[inline(never)]
    pub(crate) fn exchange_full(&self, block: Object) -> bool {
        let address = block.as_ptr() as usize;
        let offset = address.wrapping_sub(own(&self.arena_base));
        if offset >= own(&self.arena_bytes) {
            return false;
        }
        let id = class_of_granule(self.class_map.load(Relaxed), offset >> GRANULE_SHIFT);
        if id == ClassId::NONE || class::is_span(id) || !self.bin(id).is_start(address) {
            return false;
        }
        let is_done = self.exchange(id, || {
            let (bin, capacity) = (self.bin(id), sizing::capacity(id));
            let is_full = !is_small(bin, id) && bin.main_count() == capacity;
            if !is_full || bin.is_near_top(block) || !bin.swap_for_room(self.spare(id), capacity) {
                return None;
            }
            bin.push(block.as_ptr()).then_some(())
        });
        is_done.is_some()
    }

    /// Runs `exchange` for a cache that has memory and whose thread, the caller, was not interrupted in the allocator, nor is to
    /// come by for each object. A bin of which anything is detached is for those who undo that.
    fn exchange<T>(&self, id: ClassId, exchange: impl FnOnce() -> Option<T>) -> Option<T> {
        self.heap.get()?;
        if self.is_interrupted() || self.is_awaited.load(Relaxed) != 0 {
            return None;
        }
        self.inside(|| {
            let _busy = self.busy.lock();
            let is_plain = self.get(&self.detached, id) == 0 && self.get(&self.gaps, id) == 0;
            is_plain.then(exchange)?
        })
    }
}
