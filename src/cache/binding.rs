//! What a cache belongs to: its heap and node, and what of the node the fast paths read.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::{ThreadCache, sizing};
use crate::heap::{Heap, Node};
use crate::slab::class;
use crate::units::ClassId;

/// What a living cache is tied to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    /// The heap.
    pub(crate) heap: &'static Heap,
    /// The node that it takes memory from.
    pub(crate) home: &'static Node,
}

impl Binding {
    /// How many full sheaves the barns of this class have places for.
    pub(super) fn barn_places(self, id: ClassId) -> usize {
        match self.heap.is_tiny() {
            true => 0,
            false => sizing::barn(
                id,
                self.heap.is_tight(),
                self.heap.clusters().entered_count(),
            ),
        }
    }
}

// ORDERING: relaxed, see `mod.rs`.

impl ThreadCache {
    /// Whether it is tied to that.
    pub(super) fn is_at_home(&self, binding: Binding) -> bool {
        self.binding().is_some_and(|known| {
            core::ptr::eq(known.heap, binding.heap) && core::ptr::eq(known.home, binding.home)
        })
    }

    /// Binding a cache without objects to a heap and a node.
    pub(super) fn move_in(&self, binding: Binding) {
        self.settle(binding.home);
        self.steps.store(0, Relaxed);
        self.strays.store(0, Relaxed);
        self.heap.set(Some(binding.heap));
        self.home.set(Some(binding.home));
        for id in class::every() {
            let info = class::info(id);
            self.bin(id)
                .describe(info.divisor, (info.slab_bytes() - 1) as u32);
        }
        self.share_bins(binding.heap.shares_bins());
        self.refresh_home();
    }

    /// What the cache is tied to; `None` for the static ones.
    pub(crate) fn binding(&self) -> Option<Binding> {
        Some(Binding {
            heap: self.heap.get()?,
            home: self.home.get()?,
        })
    }

    /// Records how far the home node's class map reaches by now.
    pub(crate) fn refresh_home(&self) {
        if let Some(home) = self.home.get() {
            self.arena_base.store(home.arena().base(), Relaxed);
            self.class_map
                .store(home.tables().class_map().cast_mut(), Relaxed);
            self.arena_bytes
                .store(home.tables().covered_bytes(), Relaxed);
            self.named.refresh(home.arena().base(), home.tables());
        }
    }
}
