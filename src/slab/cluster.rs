//! Which cluster's pool a slab is in: a few bits of its record.
//!
//! # Invariant
//!
//! It changes while the slab is in no pool. So who holds one of its objects may ask without a lock.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::class::info;
use super::record::SlabRecord;
use super::table::SlabTables;
use crate::units::{ClassId, ClusterId, GranuleIndex, MAX_CLUSTERS};

/// The bits of `fresh` below it.
const SHIFT: u32 = 3;
const _: () = assert!((MAX_CLUSTERS - 1) << SHIFT <= u8::MAX as usize);

// ORDERING: relaxed. The lock of the slab's pool orders what its objects' owners see of it: they, or who gave them the
// objects, took them under that.

impl SlabRecord {
    /// The cluster whose pool the slab is in.
    #[inline]
    pub(super) fn cluster(&self) -> ClusterId {
        ClusterId(self.fresh.load(Relaxed) >> SHIFT)
    }

    /// Notes whose pool the slab is in.
    pub(super) fn set_cluster(&self, cluster: ClusterId) {
        let kept = self.fresh.load(Relaxed) & ((1 << SHIFT) - 1);
        self.fresh.store(kept | cluster.0 << SHIFT, Relaxed);
    }
}

impl SlabTables {
    /// The cluster whose pool has the slab of an object of class `id` that is out, at `offset`; of any other address, any.
    pub(crate) fn cluster_of(&self, offset: usize, id: ClassId) -> ClusterId {
        let slab = Self::slab_of(GranuleIndex::containing(offset), info(id));
        self.record_of(slab, id)
            .map_or(ClusterId::default(), SlabRecord::cluster)
    }
}
