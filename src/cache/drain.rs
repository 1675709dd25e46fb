//! Emptying a thread cache: its objects go to the barns and slabs, its sheaves to the barns.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::first::retire;
use super::{Binding, ThreadCache, sizing};
use crate::decay::Budget;
use crate::slab::{Sheaf, class};
use crate::units::ClassId;

impl ThreadCache {
    /// Whether nobody is changing the cache at this moment but its thread on a fast path.
    pub(crate) fn is_quiet(&self) -> bool {
        self.busy.is_free()
    }

    /// Empties the cache; its thread does not use it meanwhile.
    pub(crate) fn drain(&self) {
        self.drain_within(&mut Budget::unlimited());
    }

    /// As [`Self::drain`], until the budget is spent.
    pub(crate) fn drain_within(&self, budget: &mut Budget) {
        let Some(binding) = self.binding() else {
            return;
        };
        let _busy = self.busy.lock();
        self.reattach_all();
        for id in class::every() {
            if budget.is_spent() {
                return;
            }
            budget.flush(self.bin(id).main_count() + self.spare(id).count());
            self.close(binding, id);
        }
        // ORDERING: relaxed, see the module.
        self.refills.iter().for_each(|last| last.store(0, Relaxed));
        self.drain_aliens(binding);
    }

    /// Gives up spans, of which a second free shows once they are back, and what belongs to other nodes.
    pub(super) fn drain_remote(&self) {
        let Some(binding) = self.binding() else {
            return;
        };
        let _busy = self.busy.lock();
        for id in class::spans() {
            self.reattach(id);
            self.close_small(binding, id);
        }
        self.drain_aliens(binding);
    }

    /// Empties and takes out a main sheaf that is a small one, if there is one; the caller holds the cache's lock.
    pub(super) fn close_small(&self, binding: Binding, id: ClassId) {
        let bin = self.bin(id);
        let room = bin.capacity();
        if let Some(mut small) = bin.close() {
            binding.heap.flush(binding.home, id, &mut small);
            retire(binding, small, room);
        }
    }

    /// Gives a sheaf with what is in it to the barn.
    pub(super) fn put_away(&self, binding: Binding, id: ClassId, mut sheaf: Sheaf) {
        let mut cache_node = self.cache_node(binding, id).lock();
        if sheaf.count() == sizing::capacity(id) {
            match cache_node.barn.put_full(sheaf, binding.barn_places(id)) {
                None => return,
                Some(oldest) => sheaf = oldest,
            }
        }
        binding
            .heap
            .flush_with(cache_node, binding.home, self.cluster(), id, &mut sheaf);
        self.cache_node(binding, id).lock().barn.put_empty(sheaf);
    }
}
