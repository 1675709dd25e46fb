//! Machines that do not exist, for tests: a heap and the caches of its threads.
#![forbid(unsafe_code)]

extern crate std;
use std::boxed::Box;
use std::vec::Vec;

use super::*;
use crate::heap::{Heap, Settings};
use crate::numa::{NodeSet, Topology};
use crate::slab::Request;
use crate::units::{NodeId, Zeroed};

/// A machine, and the caches of its threads.
pub(super) struct World {
    pub(super) heap: &'static Heap,
    pub(super) registry: Registry,
}

impl World {
    pub(super) fn new(nodes: u64, arena_bytes: usize) -> Self {
        let settings = Settings {
            arena_bytes,
            ..Settings::TEST
        };
        Self::with(nodes, settings)
    }

    pub(super) fn with(nodes: u64, settings: Settings) -> Self {
        let topology = Topology::uniform(NodeSet::from_bits(nodes));
        let heap = Heap::new(topology, settings).unwrap();
        Self {
            heap: Box::leak(Box::new(heap)),
            registry: Registry::new(),
        }
    }

    pub(super) fn thread(&self, node: u8) -> &'static ThreadCache {
        let home = self.heap.home_of(NodeId(node));
        self.registry
            .birth(Binding {
                heap: self.heap,
                home,
            })
            .unwrap()
    }

    /// Objects that are out of their slabs, less those that wait in caches and barns.
    pub(super) fn in_use(&self) -> usize {
        let (mut out, mut waiting) = (0, 0);
        for node in self.heap.nodes() {
            for id in class::all() {
                let counts = node.counts(id, sizing::capacity(id));
                out += counts.out;
                // Perhaps another node's, from a time when this one was out of memory.
                waiting += counts.in_barn;
            }
        }
        self.registry.for_each(|cache| {
            waiting += class::all().map(|id| cache.cached(id)).sum::<usize>();
            waiting += cache.alien_objects();
        });
        out - waiting
    }

    pub(super) fn end(&self) {
        let mut caches = Vec::new();
        self.registry.for_each(|cache| caches.push(cache));
        // Nothing was freed twice, so nobody has what a slab has.
        caches.iter().for_each(|cache| cache.audit());
        caches
            .into_iter()
            .for_each(|cache| self.registry.exit(cache));
        self.heap.validate();
    }
}

pub(super) fn alloc(cache: &ThreadCache, bytes: usize) -> Option<Object> {
    take(cache, bytes, 1, Zeroed::No)
}

pub(super) fn take(
    cache: &ThreadCache,
    bytes: usize,
    align: usize,
    zeroed: Zeroed,
) -> Option<Object> {
    let request = Request::new(bytes, align, zeroed)?;
    cache.alloc_slow(cache.binding()?, &request)
}

pub(super) fn free(cache: &ThreadCache, block: Object) {
    if !cache.push(block.as_ptr()) && !cache.push_alien(block.as_ptr()) {
        cache.free_slow(cache.binding().unwrap(), block);
    }
}
