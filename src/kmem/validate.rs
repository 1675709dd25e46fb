//! Whether the cache nodes of named caches agree with the records of their slabs.
#![forbid(unsafe_code)]

use super::Kmem;

impl Kmem {
    /// Checks the slabs of every cache, also of those that were destroyed, and of what the caches need themselves; aborts if a
    /// count is wrong.
    pub(crate) fn validate(&self) {
        for cache in self.all() {
            for slabs in self.all_slabs(cache) {
                let cache_node = slabs.entry.cache_node.lock();
                cache_node.validate(slabs.place(), slabs.owner.class());
            }
        }
        self.store.validate();
    }
}
