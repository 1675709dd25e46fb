//! Which cluster's cache node a slab is in: a few bits of its record.
//!
//! # Invariant
//!
//! They are written under the lock of that cache node, when the slab comes into it and when it leaves, and say "in none" in between. So
//! who holds that lock and finds the cluster there has the slab, and who holds one of its objects may ask without a lock.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::SlabRecord;
use crate::units::{ClusterId, MAX_CLUSTERS};

/// The bits of `fresh` below it.
const SHIFT: u32 = 2;
const _: () = assert!(MAX_CLUSTERS << SHIFT <= u8::MAX as usize);

// ORDERING: relaxed. The lock of the slab's cache node orders what its objects' owners see of it: they, or who gave them the
// objects, took them under that.

impl SlabRecord {
    /// The cluster whose cache node the slab is in.
    #[inline]
    pub(in crate::slab) fn cluster(&self) -> Option<ClusterId> {
        let number = self.fresh.load(Relaxed) >> SHIFT;
        number.checked_sub(1).map(ClusterId)
    }

    /// Notes whose cache node the slab is in.
    pub(in crate::slab) fn set_cluster(&self, cluster: ClusterId) {
        let kept = self.fresh.load(Relaxed) & ((1 << SHIFT) - 1);
        self.fresh.store(kept | (cluster.0 + 1) << SHIFT, Relaxed);
    }
}
