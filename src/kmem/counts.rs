//! What named caches hold: numbers that are true at one moment each.
#![forbid(unsafe_code)]

use super::Kmem;
use super::cache::NamedCache;
use crate::cache::Registry;

/// The most of a name that is told.
const TITLE: usize = 32;

/// One cache's numbers over all nodes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CacheCounts {
    /// The name, filled up with zeroes, or its beginning.
    pub(crate) title: [u8; TITLE],
    /// Bytes of an object's slot.
    pub(crate) size: usize,
    /// Objects that the program holds.
    pub(crate) in_use: usize,
    /// Objects in sheaves.
    pub(crate) cached: usize,
    /// Slabs.
    pub(crate) slabs: usize,
    /// Objects of a slab.
    pub(crate) slab_objects: usize,
    /// Bytes of a slab.
    pub(crate) slab_bytes: usize,
}

impl Kmem {
    /// The numbers of all caches.
    pub(crate) fn counts(&self, threads: &Registry) -> impl Iterator<Item = CacheCounts> {
        self.all().filter_map(|cache| {
            let title = self.title_of(cache)?;
            let info = cache.info();
            let slabs = self
                .all_slabs(cache)
                .map(|slabs| slabs.entry.cache_node.lock().slabs());
            let cached = self.cached(cache, threads);
            Some(CacheCounts {
                title,
                size: info.size as usize,
                in_use: cache.out().saturating_sub(cached),
                cached,
                slabs: slabs.sum(),
                slab_objects: info.objects as usize,
                slab_bytes: info.slab_bytes(),
            })
        })
    }

    /// Bytes of the slabs that bins and sheaves of named caches lie in.
    pub(crate) fn store_bytes(&self) -> usize {
        self.store.slab_bytes()
    }

    /// Objects of a cache in sheaves.
    pub(super) fn cached(&self, cache: &'static NamedCache, threads: &Registry) -> usize {
        let in_bins = self.at_hand(cache, threads);
        let in_barns = self.all_slabs(cache).map(|slabs| {
            let cache_node = slabs.entry.cache_node.lock();
            cache_node.barn.objects(cache.capacity())
        });
        in_bins + in_barns.sum::<usize>()
    }

    /// A copy of a cache's name, if it is one.
    fn title_of(&self, cache: &'static NamedCache) -> Option<[u8; TITLE]> {
        // Nobody begins to destroy it meanwhile.
        let _visiting = self.visiting.lock();
        let mut title = [0; TITLE];
        let name = if cache.exists() {
            cache.title()
        } else {
            return None;
        };
        title
            .iter_mut()
            .zip(name)
            .for_each(|(to, from)| *to = *from);
        Some(title)
    }
}
