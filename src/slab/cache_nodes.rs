//! The cache nodes of one node, one for each class and cluster of processors, each under its own lock.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::cache_node::CacheNode;
use super::class::{self, CLASSES};
use crate::report::internal_error;
use crate::sync::{CachePadded, Lock};
use crate::sys::{Region, Table, ZeroInit};
use crate::units::{ClassId, ClusterId, MAX_CLUSTERS};

/// A cache node, and the lock that is held while a slab is made for it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) cache_node: Lock<CacheNode>,
    growing: Lock<()>,
}

// SAFETY: zero is two free locks, one around a cache node without slabs, and the lock guards all changes. A cache node is made of
// numbers, `bool`s, and `Option`s of what is a `NonNull` by its layout, for which Rust promises that `None` is null.
unsafe impl ZeroInit for CachePadded<Entry> {}

/// All cache nodes of a node.
#[derive(Debug)]
pub(crate) struct CacheNodes {
    /// One cluster's after the other's.
    pub(super) entries: Table<CachePadded<Entry>>,
    pub(super) clusters: u8,
    /// A bit for each class whose cache node somebody has asked for: all others were never written to.
    pub(super) used: [Used; MAX_CLUSTERS],
}

type Used = [AtomicU64; (CLASSES + 1).div_ceil(64)];

/// Where each class's cache node lies: side by side those that a small program uses, so that they take few pages.
pub(crate) static PLACES: [u8; CLASSES + 1] = {
    let mut places = [0; CLASSES + 1];
    let (mut next, mut is_first) = (1, true);
    loop {
        let mut id = 1;
        while id <= CLASSES {
            if class::is_common(id) == is_first {
                places[id] = next;
                next += 1;
            }
            id += 1;
        }
        if !is_first {
            break places;
        }
        is_first = false;
    }
};

impl CacheNodes {
    /// Bytes to reserve for `clusters`.
    pub(crate) const fn bytes_for(clusters: u8) -> usize {
        Table::<CachePadded<Entry>>::bytes_for(clusters as usize * (CLASSES + 1))
    }

    /// Empty cache nodes of `clusters` in `region`, of which [`Self::bytes_for`] are committed.
    pub(crate) fn new(region: Region, clusters: u8) -> Self {
        Self {
            entries: Table::committed(region),
            clusters: clusters.max(1),
            used: Default::default(),
        }
    }

    /// All clusters.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = ClusterId> + use<> {
        (0..self.clusters).map(ClusterId)
    }

    /// The cache node of class `id`, to be used.
    #[inline]
    pub(crate) fn get(&self, cluster: ClusterId, id: ClassId) -> &Lock<CacheNode> {
        let (word, bit) = self.used_bit(cluster, id);
        // ORDERING: relaxed; who does not see the bit yet passes by a cache node that is being used for the first time.
        if word.load(Relaxed) & bit == 0 {
            word.fetch_or(bit, Relaxed);
        }
        &self.entry(cluster, id).cache_node
    }

    /// The cache node of class `id`, if it was ever used, to visit all. Even a lock that is taken for nothing gives its page
    /// memory.
    pub(crate) fn used(&self, cluster: ClusterId, id: ClassId) -> Option<&Lock<CacheNode>> {
        let (word, bit) = self.used_bit(cluster, id);
        // ORDERING: as above.
        (word.load(Relaxed) & bit != 0).then(|| &self.entry(cluster, id).cache_node)
    }

    /// The cache node of class `id`, used or not, for a fork: it may be used at any moment.
    pub(crate) fn any(&self, cluster: ClusterId, id: ClassId) -> &Lock<CacheNode> {
        &self.entry(cluster, id).cache_node
    }

    /// The lock for making slabs of class `id`.
    pub(crate) fn growing(&self, cluster: ClusterId, id: ClassId) -> &Lock<()> {
        &self.entry(cluster, id).growing
    }

    #[inline]
    fn entry(&self, cluster: ClusterId, id: ClassId) -> &Entry {
        match PLACES.get(id.index()) {
            Some(place) => {
                let first = usize::from(cluster.0) * (CLASSES + 1);
                self.entries.get(first + usize::from(*place))
            }
            None => internal_error("a cache node of spans"),
        }
    }

    #[inline]
    fn used_bit(&self, cluster: ClusterId, id: ClassId) -> (&AtomicU64, u64) {
        let words = self.used.get(usize::from(cluster.0));
        match words.and_then(|words| words.get(id.index() / 64)) {
            Some(word) => (word, 1 << (id.index() % 64)),
            None => internal_error("a cache node of spans"),
        }
    }
}
