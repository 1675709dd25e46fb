//! How much memory came from which node, counted as the kernel's numastat does.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::units::{MAX_NODES, NodeId};

/// What is counted, in pages; the names are numastat's
/// (the kernel's `Documentation/admin-guide/numastat.rst`).
pub const NAMES: [&str; 6] = [
    "numa_hit",
    "numa_miss",
    "numa_foreign",
    "interleave_hit",
    "local_node",
    "other_node",
];

const HIT: usize = 0;
const MISS: usize = 1;
const FOREIGN: usize = 2;
const INTERLEAVE_HIT: usize = 3;
const LOCAL: usize = 4;
const OTHER: usize = 5;

/// The counts of all nodes.
#[derive(Debug)]
pub(crate) struct NumaStat([[AtomicU64; NAMES.len()]; MAX_NODES]);

/// Where pages came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// From a node, while this one was wanted.
    Wanted(NodeId),
    /// From a node whose turn it was.
    Turn,
}

// ORDERING: relaxed; the counts are statistics.

impl NumaStat {
    /// Nothing counted.
    pub(crate) const fn new() -> Self {
        Self([const { [const { AtomicU64::new(0) }; NAMES.len()] }; MAX_NODES])
    }

    /// Counts `pages` that node `from` gave to a thread that runs on `running`.
    pub(crate) fn count(&self, from: NodeId, source: Source, running: NodeId, pages: u64) {
        match source {
            Source::Turn => {
                self.add(from, HIT, pages);
                self.add(from, INTERLEAVE_HIT, pages);
            }
            Source::Wanted(wanted) if wanted == from => self.add(from, HIT, pages),
            Source::Wanted(wanted) => {
                self.add(from, MISS, pages);
                self.add(wanted, FOREIGN, pages);
            }
        }
        let nearness = if running == from { LOCAL } else { OTHER };
        self.add(from, nearness, pages);
    }

    /// A node's counts, in the order of [`NAMES`].
    pub(crate) fn of(&self, node: NodeId) -> [u64; NAMES.len()] {
        let mut counts = [0; NAMES.len()];
        if let Some(row) = self.0.get(node.index()) {
            for (count, kept) in counts.iter_mut().zip(row) {
                *count = kept.load(Relaxed);
            }
        }
        counts
    }

    fn add(&self, node: NodeId, what: usize, pages: u64) {
        if let Some(count) = self.0.get(node.index()).and_then(|row| row.get(what)) {
            count.fetch_add(pages, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_as_the_kernel_does() {
        let numastat = NumaStat::new();
        let [zero, two] = [0, 2].map(NodeId);
        numastat.count(two, Source::Wanted(two), two, 5);
        numastat.count(zero, Source::Wanted(two), two, 3);
        numastat.count(zero, Source::Turn, zero, 7);
        assert_eq!(numastat.of(two), [5, 0, 3, 0, 5, 0]);
        assert_eq!(numastat.of(zero), [7, 3, 0, 7, 7, 3]);
    }
}
