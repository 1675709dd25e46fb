//! A heap with a few caches, from its birth to its end.
#![forbid(unsafe_code)]

extern crate std;
use core::cell::OnceCell;
use std::boxed::Box;

use crate::cache::{Binding, Registry, ThreadCache};
use crate::heap::{Heap, Settings};
use crate::kmem::Kmem;
use crate::limit::Limit;
use crate::numa::{Choice, NodeSet, Topology};
use crate::stats::{Stats, View};
use crate::sys::{self, HugePages};
use crate::units::NodeId;

const MIB: usize = 1 << 20;

const ARENA: usize = 64 * MIB;

/// A heap on a machine with up to three nodes, and its caches.
pub(super) struct World {
    pub(super) heap: &'static Heap,
    pub(super) caches: &'static Registry,
    kmem: OnceCell<&'static Kmem>,
}

impl World {
    /// A world of the kind that belongs to a seed; `None` where the machine refuses.
    pub(super) fn new(seed: u64) -> Option<Self> {
        let nodes = [0b1, 0b101, 0b111][seed as usize % 3];
        let choices = [
            Choice::Local,
            Choice::Interleave,
            Choice::Bind(NodeSet::from_bits(1)),
        ];
        let settings = Settings {
            arena_bytes: ARENA,
            reuse_bytes: [0, 16 * MIB][seed as usize / 3 % 2],
            is_tiny: seed % 5 == 4,
            is_eager: seed % 5 == 4,
            shares_bins: seed.is_multiple_of(2),
            huge_pages: [HugePages::System, HugePages::Always, HugePages::Never]
                [seed as usize / 2 % 3],
            limit: match seed % 5 {
                4 => Limit::of(1 << 30),
                _ => Limit::off(),
            },
            choice: choices[seed as usize / 5 % 3],
            current_node: sys::current_node,
            clusters: 1 + (seed % 3) as u8,
            current_cluster: || sys::current_cpu() as u8,
            few_threads: 0,
        };
        let heap = Heap::new(Topology::uniform(NodeSet::from_bits(nodes)), settings)?;
        Some(Self {
            heap: Box::leak(Box::new(heap)),
            caches: Box::leak(Box::new(Registry::new())),
            kmem: OnceCell::new(),
        })
    }

    /// Named caches, once they were made.
    pub(super) fn kmem(&self) -> Option<&'static Kmem> {
        self.kmem.get().copied()
    }

    /// Makes that there can be named caches, if there can not be yet and the machine does not refuse.
    pub(super) fn make_kmem(&self) {
        if self.kmem().is_none()
            && let Some(kmem) = Kmem::new(self.heap)
        {
            let _ = self.kmem.set(Box::leak(Box::new(kmem)));
        }
    }

    /// Whether its arenas are as large as they were to be.
    pub(super) fn is_whole(&self) -> bool {
        self.heap
            .nodes()
            .all(|node| node.arena().region().most() >= ARENA)
    }

    pub(super) fn birth(&self, node: u8) -> Option<&'static ThreadCache> {
        let home = self.heap.home_of(NodeId(node));
        self.caches.birth(Binding {
            heap: self.heap,
            home,
        })
    }

    pub(super) fn stats(&self) -> Stats {
        let caches = self.caches;
        View {
            heap: self.heap,
            caches,
            kmem: self.kmem(),
            pools: None,
        }
        .sums()
    }

    /// Empties everything that waits, and checks that nothing is held.
    pub(super) fn rest(&self) {
        self.heap.trim();
        self.heap.validate();
        let stats = self.stats();
        assert_eq!(
            (stats.in_use, stats.huge_blocks, stats.huge),
            (0, 0, 0),
            "{stats:?}"
        );
        assert_eq!((stats.cached, stats.huge_kept), (0, 0), "{stats:?}");
        assert_eq!((stats.threads, stats.free()), (0, stats.arena), "{stats:?}");
    }
}
