//! Which arena serves a request where there are several, and who gave how many pages.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::{Heap, Node};
use crate::numa::{Choice, Source};
use crate::sys::Policy;
use crate::units::{ClassId, ClusterId, NodeId, PAGE_SIZE};

impl Heap {
    /// The arena for a large block of a thread whose home is `home`.
    pub(super) fn arena_for_large(&self, home: &'static Node) -> &'static Node {
        self.nodes().find(|node| node.is_spread()).unwrap_or(home)
    }

    /// Counts the slabs that a cache node of class `id` on `node` took since it was asked last; `wanted`
    /// is the home of the thread that needed them.
    pub(crate) fn note_slabs(
        &self,
        node: &'static Node,
        wanted: &Node,
        cluster: ClusterId,
        id: ClassId,
    ) {
        if !self.is_counted() {
            return;
        }
        let added = node.cache_node(cluster, id).lock().take_added();
        let pages = u64::from(crate::slab::class::info(id).slab_pages());
        for slab in added.into_iter().flatten() {
            self.count_pages(node, wanted, pages, node.arena().region().at(slab.offset()));
        }
    }

    /// Counts a large block of `pages` at `start`, or a slab.
    pub(super) fn count_pages(&self, node: &Node, wanted: &Node, pages: u64, start: NonNull<u8>) {
        if !self.is_counted() {
            return;
        }
        match node.policy() {
            Some(Policy::Striped(stripes)) => {
                let offset = start.as_ptr() as usize - node.arena().base();
                let from = stripes.node_at(offset).map_or(node.id(), NodeId);
                self.count(from, Source::Turn, wanted, pages);
            }
            Some(Policy::Interleave { .. }) => {
                let first = start.as_ptr() as usize / PAGE_SIZE;
                self.count_spread(wanted, pages, first);
            }
            _ => self.count(node.id(), Source::Wanted(wanted.id()), wanted, pages),
        }
    }

    /// Counts a block that is a mapping of its own.
    pub(super) fn note_block(&self, wanted: &Node, pages: u64) {
        if !self.is_counted() {
            return;
        }
        match self.settings.choice.block(&self.topology, wanted.id()) {
            Some(Policy::Interleave { .. }) => self.count_spread(wanted, pages, 0),
            _ => self.count(wanted.id(), Source::Wanted(wanted.id()), wanted, pages),
        }
    }

    /// Pages in turn from every node, `first` being the number of the first.
    fn count_spread(&self, wanted: &Node, pages: u64, first: usize) {
        let nodes = self.topology.homes();
        let count = nodes.len() as u64;
        if self.settings.choice == Choice::Weighted {
            let weight = |node| u64::from(self.topology.weight(node));
            let sum: u64 = nodes.iter().map(weight).sum();
            // What does not divide evenly is counted for nobody.
            for node in nodes.iter() {
                let share = pages * weight(node) / sum.max(1);
                self.count(node, Source::Turn, wanted, share);
            }
            return;
        }
        for (place, node) in (0..).zip(nodes.iter()) {
            let turn = (place + count - first as u64 % count) % count;
            let share = pages / count + u64::from(turn < pages % count);
            self.count(node, Source::Turn, wanted, share);
        }
    }

    fn count(&self, from: NodeId, source: Source, wanted: &Node, pages: u64) {
        let running = self.current_node().unwrap_or(wanted.id());
        self.numastat.count(from, source, running, pages);
    }

    /// Whether the machine has several nodes that anybody cares about.
    fn is_counted(&self) -> bool {
        self.topology.homes().len() > 1 && self.settings.choice != Choice::Off
    }
}
