//! Clusters of processors: each has cache nodes of its own on every node, so that threads that share no cache share no lock.
//!
//! # Invariant
//!
//! A cache that takes objects from a cluster's cache nodes has entered that cluster before, and notes so under its own lock. A fork holds
//! those of all caches first: so it need not hold, and thereby touch, the locks of cache nodes that nobody has entered.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Settings;
use crate::units::{ClusterId, MAX_CLUSTERS};

/// The clusters of a machine.
#[derive(Debug)]
pub(crate) struct Clusters {
    count: u8,
    /// The number of the cluster that runs the caller.
    current: fn() -> u8,
    /// With no more threads than these, one serves all: they meet at a lock too rarely to be worth more memory.
    few_threads: usize,
    /// A bit for each that somebody has entered.
    entered: AtomicU64,
}

const _: () = assert!(MAX_CLUSTERS <= u64::BITS as usize);

// ORDERING: relaxed; the lock of the cache that a cluster is entered for orders that before its use.

impl Clusters {
    /// As many as `settings` say. The first serves threads without a cache.
    pub(super) const fn new(settings: &Settings) -> Self {
        Self {
            count: settings.clusters,
            current: settings.current_cluster,
            few_threads: settings.few_threads,
            entered: AtomicU64::new(1),
        }
    }

    /// How many somebody has entered.
    pub(crate) fn entered_count(&self) -> usize {
        self.entered.load(Relaxed).count_ones() as usize
    }

    /// Whether threads may be in different ones.
    pub(crate) fn are_several(&self) -> bool {
        self.count > 1
    }

    /// The cluster that runs the caller, one of `threads`; nothing where it does not matter.
    pub(crate) fn current(&self, threads: usize) -> Option<ClusterId> {
        let number = (self.count > 1 && threads > self.few_threads).then(|| (self.current)())?;
        number.checked_rem(self.count).map(ClusterId)
    }

    /// Notes that a cache uses the cluster's cache nodes from now on.
    pub(crate) fn enter(&self, cluster: ClusterId) {
        let bit = 1 << cluster.0;
        if self.entered.load(Relaxed) & bit == 0 {
            self.entered.fetch_or(bit, Relaxed);
        }
    }

    /// Those that somebody has entered.
    pub(crate) fn entered(&self) -> impl Iterator<Item = ClusterId> + Clone + use<> {
        let entered = self.entered.load(Relaxed);
        (0..MAX_CLUSTERS as u8)
            .filter(move |cluster| entered >> cluster & 1 != 0)
            .map(ClusterId)
    }
}
