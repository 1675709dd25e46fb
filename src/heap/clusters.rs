//! Clusters of processors: each has pools of its own on every node, so that threads that share no cache share no lock.
//!
//! # Invariant
//!
//! A cache that takes objects from a cluster's pools has entered that cluster before, and notes so under its own lock. A fork holds
//! those of all caches first: so it need not hold, and thereby touch, the locks of pools that nobody has entered.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::units::{ClusterId, MAX_CLUSTERS};

/// The clusters of a machine.
#[derive(Debug)]
pub(crate) struct Clusters {
    count: u8,
    /// The number of the cluster that runs the caller.
    current: fn() -> u8,
    /// A bit for each that somebody has entered.
    entered: AtomicU64,
}

const _: () = assert!(MAX_CLUSTERS <= u64::BITS as usize);

// ORDERING: relaxed; the lock of the cache that a cluster is entered for orders that before its use.

impl Clusters {
    /// So many clusters; `current` tells which of them runs the caller. The first is that of who has no cache.
    pub(super) const fn new(count: u8, current: fn() -> u8) -> Self {
        Self {
            count,
            current,
            entered: AtomicU64::new(1),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether threads may be in different ones.
    pub(crate) fn are_several(&self) -> bool {
        self.count > 1
    }

    /// The cluster that runs the caller, who may use its pools from now on.
    pub(crate) fn enter(&self) -> ClusterId {
        if !self.are_several() {
            return ClusterId::default();
        }
        let cluster = ClusterId((self.current)().checked_rem(self.count).unwrap_or(0));
        let bit = 1 << cluster.0;
        if self.entered.load(Relaxed) & bit == 0 {
            self.entered.fetch_or(bit, Relaxed);
        }
        cluster
    }

    /// Those that somebody has entered.
    pub(super) fn entered(&self) -> impl Iterator<Item = ClusterId> + Clone + use<> {
        let entered = self.entered.load(Relaxed);
        (0..MAX_CLUSTERS as u8)
            .filter(move |cluster| entered >> cluster & 1 != 0)
            .map(ClusterId)
    }
}
