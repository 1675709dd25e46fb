//! Caches that share slabs, counters and the first one's name, since the program allows it.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::args::CacheArgs;
use super::cache::NamedCache;
use super::flags::{DEBUGGED, SLAB_CHECKS, SLAB_MERGE, SLAB_NO_MERGE, SLAB_TYPESAFE_BY_RCU};
use super::{Kmem, Life};
use crate::units::ClassId;

/// Whether a cache may be one with others: nothing is asked for that is a cache's own.
pub(super) fn may_merge(args: CacheArgs, flags: u32) -> bool {
    let own = SLAB_NO_MERGE | SLAB_CHECKS | DEBUGGED | SLAB_TYPESAFE_BY_RCU;
    let has_hooks = args.constructor.is_some() || args.destructor.is_some();
    let is_plain = args.limit == 0 && args.sheaf_capacity == 0 && !has_hooks;
    flags & SLAB_MERGE != 0 && flags & own == 0 && is_plain
}

impl Kmem {
    /// A cache whose objects are of class `class` and which others may share, for one more.
    pub(super) fn find_alias(
        &self,
        class: ClassId,
        size: usize,
        align: usize,
    ) -> Option<&'static NamedCache> {
        let _life = self.life.lock();
        let is_right = |cache: &&NamedCache| {
            cache.exists() && cache.aliases.load(Relaxed) > 0 && cache.class() == class
        };
        let cache = self.all().find(is_right)?;
        cache.aliases.fetch_add(1, Relaxed);
        // All of its objects have as much.
        cache.size.fetch_max(size as u32, Relaxed);
        cache.align.fetch_max(align as u32, Relaxed);
        Some(cache)
    }

    /// Has one fewer share a cache; `false` if there is no other.
    pub(super) fn leave_alias(&self, _life: &Life, cache: &NamedCache) -> bool {
        let is_shared = cache.exists() && cache.aliases.load(Relaxed) > 1;
        if is_shared {
            cache.aliases.fetch_sub(1, Relaxed);
        }
        is_shared
    }
}
