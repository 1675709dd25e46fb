//! Memory for bins and sheaves of named caches: slabs of its own, apart from the program's objects, which go when they are
//! empty.

use core::ptr::NonNull;

use super::cache::Entry;
use super::slabs::Slabs;
use crate::heap::{Heap, Node};
use crate::slab::class::{self, class_of};
use crate::slab::{Owner, Request, Sheaf, sheaf_bytes};
use crate::sync::CachePadded;
use crate::sys::{self, ZeroInit};
use crate::units::Zeroed;

/// Pieces have 64 bytes to 32 KiB.
pub(super) const SMALLEST: u32 = 6;
pub(super) const SIZES: usize = 10;

/// The slabs for pieces of each size.
#[derive(Debug)]
pub(super) struct StoreNodes([CachePadded<Entry>; SIZES]);

// SAFETY: made of entries, which may be zero.
unsafe impl ZeroInit for StoreNodes {}

/// Where the memory comes from.
#[derive(Debug)]
pub(super) struct Store {
    heap: &'static Heap,
    node: &'static Node,
    pub(super) cache_nodes: &'static StoreNodes,
}

impl Store {
    pub(super) fn new(heap: &'static Heap) -> Option<Self> {
        let node = heap.nodes().next()?;
        Some(Self {
            heap,
            node,
            cache_nodes: node.metadata().zeroed::<StoreNodes>()?,
        })
    }

    /// A piece of zeroes of at least `bytes`.
    pub(super) fn take(&self, bytes: usize) -> Option<NonNull<u8>> {
        let Some(slabs) = self.slabs(bytes) else {
            let request = Request::pages(bytes, 1, Zeroed::Yes)?;
            return self.heap.take_large(self.node, &request);
        };
        let info = class::info(slabs.owner.class());
        let size = info.size as usize;
        let take = || slabs.take_one();
        let piece = self.heap.take_within(info.slab_bytes(), take)?;
        // SAFETY: the piece was taken above and has that size.
        unsafe { sys::clear(piece, size) };
        Some(piece)
    }

    /// Takes a piece of `bytes` back, and clears it: blocks of the program's may get its pages.
    pub(super) fn give(&self, piece: NonNull<u8>, bytes: usize) {
        // SAFETY: nobody uses the piece any more.
        unsafe { sys::clear(piece, bytes) };
        match self.slabs(bytes) {
            Some(slabs) => _ = slabs.give(&mut [piece.as_ptr()]),
            None => self.heap.give(piece),
        }
    }

    /// An empty sheaf with room for `capacity` objects.
    pub(super) fn new_sheaf(&self, capacity: usize) -> Option<Sheaf> {
        let memory = self.take(sheaf_bytes(capacity))?;
        // SAFETY: the piece is as long as asked and aligned; no slab lies across a multiple of 4 GiB.
        Some(unsafe { Sheaf::new_in(memory) })
    }

    /// Takes back an empty sheaf with room for `capacity` objects.
    pub(super) fn give_sheaf(&self, sheaf: Sheaf, capacity: usize) {
        self.give(sheaf.into_memory(), sheaf_bytes(capacity));
    }

    /// Bytes of all slabs.
    pub(super) fn slab_bytes(&self) -> usize {
        let sizes = (0..SIZES).filter_map(|size| self.slabs(1 << (SMALLEST as usize + size)));
        let bytes = sizes.map(|it| {
            let slab_bytes = class::info(it.owner.class()).slab_bytes();
            it.entry.cache_node.lock().slabs() * slab_bytes
        });
        bytes.sum()
    }

    /// Gives empty slabs back.
    pub(super) fn trim(&self) {
        for size in 0..SIZES {
            if let Some(slabs) = self.slabs(1 << (SMALLEST as usize + size)) {
                slabs.trim(0);
            }
        }
    }

    /// Checks the slabs of each size.
    pub(super) fn validate(&self) {
        for size in 0..SIZES {
            if let Some(slabs) = self.slabs(1 << (SMALLEST as usize + size)) {
                let cache_node = slabs.entry.cache_node.lock();
                cache_node.validate(slabs.place(), slabs.owner.class());
            }
        }
    }

    pub(super) fn hold_for_fork(&self) {
        let entries = || self.cache_nodes.0.iter();
        entries().for_each(|entry| entry.growing.hold_for_fork());
        entries().for_each(|entry| entry.cache_node.hold_for_fork());
    }

    /// The slabs for pieces of `bytes`; `None` for what is too long for any.
    fn slabs(&self, bytes: usize) -> Option<Slabs<'_>> {
        let size = bytes.next_power_of_two().max(1 << SMALLEST);
        let entry = self
            .cache_nodes
            .0
            .get((size.trailing_zeros() - SMALLEST) as usize)?;
        Some(Slabs {
            node: self.node,
            entry,
            owner: Owner::cache(0, class_of(size), false, false),
        })
    }
}
