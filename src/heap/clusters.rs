//! Clusters of processors: each has pools of its own on every node, so that threads that share no cache share no lock.
//!
//! # Invariant
//!
//! A pool of a cluster is locked only after the cluster was opened. So a fork need not hold, and thereby touch, the locks of
//! all that there may be.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering::Acquire, Ordering::Release};

use crate::sync::Lock;
use crate::units::{ClusterId, MAX_CLUSTERS};

/// The clusters of a machine.
#[derive(Debug)]
pub(crate) struct Clusters {
    count: u8,
    /// The number of the cluster that runs the caller.
    current: fn() -> u8,
    /// A bit for each that is open.
    open: AtomicU32,
    opening: Lock<()>,
}

const _: () = assert!(MAX_CLUSTERS <= u32::BITS as usize);

impl Clusters {
    /// So many clusters; `current` tells which of them runs the caller. The first is open.
    pub(super) const fn new(count: u8, current: fn() -> u8) -> Self {
        Self {
            count,
            current,
            open: AtomicU32::new(1),
            opening: Lock::new(()),
        }
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
        let cluster = ClusterId((self.current)() % self.count);
        let bit = 1 << cluster.0;
        // ORDERING: acquire, pairs with the release below: a fork that does not see the bit holds the lock.
        if self.open.load(Acquire) & bit == 0 {
            let _opening = self.opening.lock();
            // ORDERING: release, as above.
            self.open.fetch_or(bit, Release);
        }
        cluster
    }

    /// Keeps others shut across a fork; those that are open.
    pub(super) fn hold_for_fork(&self) -> impl Iterator<Item = ClusterId> + Clone + use<> {
        self.opening.hold_for_fork();
        // ORDERING: acquire; the lock is held.
        let open = self.open.load(Acquire);
        (0..MAX_CLUSTERS as u8)
            .filter(move |cluster| open >> cluster & 1 != 0)
            .map(ClusterId)
    }

    /// Whether nobody is opening one.
    pub(super) fn is_quiet(&self) -> bool {
        self.opening.is_free()
    }
}
