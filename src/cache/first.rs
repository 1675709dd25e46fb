//! A bin's first sheaf is a small one: a thread that frees or allocates a few objects of a class
//! does not pay for the room of many. In a process with very many threads it stays small.
//!
//! # Invariant
//!
//! A bin whose main sheaf is a small one has no spare.
#![forbid(unsafe_code)]

use super::bin::Bin;
use super::{Binding, ThreadCache, sizing};
use crate::slab::{Sheaf, class, sheaf_bytes};
use crate::units::ClassId;

impl ThreadCache {
    /// Opens an empty small sheaf in a bin without sheaves; `false` where there is no memory, or the bin shall have none.
    pub(super) fn open_first(&self, binding: Binding, id: ClassId) -> bool {
        let room = self.first_room(binding, id);
        if room == 0 {
            return false;
        }
        // Where a small sheaf is as large as any, the barn has them.
        let sheaf = if room < sizing::capacity(id) || class::is_span(id) {
            take_small(binding, sizing::FIRST_CAPACITY)
        } else {
            self.take_empty(binding, id)
        };
        let Some(sheaf) = sheaf else {
            return false;
        };
        self.bin(id).open(sheaf, room);
        true
    }

    /// Moves what is in the small main sheaf to one of full size, or among many threads to a larger one with room for `new`
    /// objects; `false` where there is no memory. What the room may be changes with every moment, so the caller has
    /// asked for it once.
    pub(super) fn enlarge(&self, binding: Binding, id: ClassId, new: usize) -> bool {
        let bin = self.bin(id);
        let old = bin.capacity();
        debug_assert!(old < new);
        let empty = if new < sizing::capacity(id) {
            take_small(binding, new)
        } else {
            self.take_empty(binding, id)
        };
        let Some(mut sheaf) = empty else {
            return false;
        };
        if let Some(mut small) = bin.close() {
            let slots = sheaf.grow(small.count()).iter_mut();
            slots
                .zip(small.objects())
                .for_each(|(slot, object)| *slot = *object);
            small.clear();
            retire(binding, small, old);
        }
        bin.open(sheaf, new);
        true
    }

    /// Gives half of what is in a small main sheaf that must not grow to the barn; `false` where there is
    /// no main sheaf.
    pub(super) fn share(&self, binding: Binding, id: ClassId) -> bool {
        let bin = self.bin(id);
        let (room, capacity) = (bin.capacity(), sizing::capacity(id));
        let Some(mut small) = bin.close() else {
            return false;
        };
        if binding.barn_places(id) == 0 {
            binding.heap.flush(binding.home, id, &mut small);
            bin.open(small, room);
            return true;
        }
        let mut cache_node = self.cache_node(binding, id).lock();
        let mut open = cache_node
            .barn
            .take_open()
            .or_else(|| cache_node.barn.take_empty());
        if open.is_none() {
            // Memory for one may have to be committed, and another thread may store one meanwhile.
            drop(cache_node);
            let new = binding.home.metadata().new_sheaf(sizing::bytes(id));
            cache_node = self.cache_node(binding, id).lock();
            open = cache_node.barn.take_open();
            match new {
                Some(new) if open.is_some() => cache_node.barn.put_empty(new),
                new => open = open.or(new),
            }
        }
        let mut spilled = None;
        if let Some(mut open) = open {
            let wanted = small.count().div_ceil(2).min(capacity - open.count());
            small.pour(&mut open, wanted);
            if open.count() < capacity {
                cache_node.barn.put_open(open);
            } else {
                let most = binding.barn_places(id);
                spilled = cache_node.barn.put_full(open, most);
            }
            drop(cache_node);
        } else {
            drop(cache_node);
            binding.heap.flush(binding.home, id, &mut small);
        }
        if let Some(mut oldest) = spilled {
            binding.heap.flush(binding.home, id, &mut oldest);
            self.cache_node(binding, id).lock().barn.put_empty(oldest);
        }
        bin.open(small, room);
        true
    }

    fn take_empty(&self, binding: Binding, id: ClassId) -> Option<Sheaf> {
        let empty = self.cache_node(binding, id).lock().barn.take_empty();
        empty.or_else(|| binding.home.metadata().new_sheaf(sizing::bytes(id)))
    }
}

/// Whether a bin's main sheaf is one that grows when it is too small.
pub(super) fn is_small(bin: &Bin, id: ClassId) -> bool {
    bin.capacity() < sizing::capacity(id)
}

/// Puts an empty small sheaf with room for `capacity` objects away, for whichever bin needs one next.
pub(super) fn retire(binding: Binding, small: Sheaf, capacity: usize) {
    debug_assert!(small.count() == 0);
    let mut stacks = binding.home.small_sheaves().lock();
    if let Some(stack) = stacks.get_mut(usize::from(capacity > sizing::FIRST_CAPACITY)) {
        stack.push(small);
    }
}

fn take_small(binding: Binding, capacity: usize) -> Option<Sheaf> {
    let mut stacks = binding.home.small_sheaves().lock();
    let (stack, room) = match capacity > sizing::FIRST_CAPACITY {
        false => (0, sizing::FIRST_CAPACITY),
        true => (1, sizing::SECOND_CAPACITY),
    };
    let sheaf = stacks.get_mut(stack)?.pop();
    drop(stacks);
    sheaf.or_else(|| binding.home.metadata().new_sheaf(sheaf_bytes(room)))
}
