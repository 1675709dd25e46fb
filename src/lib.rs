//! The Linux kernel's page and slab allocators as a userspace `malloc`.
#![doc = include_str!("../docs/rust.md")]
#![doc = include_str!("README.md")]
#![no_std]

// The floor plan: bottom to top, imports and calls and locks go down only. `tests/layers.rs` reads it.
mod layout;
mod units;
mod sys;
mod sync;
mod report;
mod decay;
mod limit;
mod numa;
mod arena;
mod slab;
mod huge;
mod heap;
mod modes;
mod cache;
mod kmem;
mod pool;
mod shrink;
mod profile;
mod stats;
mod config;
mod global;
mod global_alloc;
mod face;

pub use face::{
    AllocError, Cache, CacheBox, CacheBuilder, CreateError, Kept, KeptCache, Local, LocalPool,
    Pool, PoolBox, PoolBuilder, ResetError, Shared,
};
pub use global::{print_stats, stats, trim};
pub use global_alloc::Slubmalloc;
pub use report::Line;
pub use stats::Stats;

/// What the C libraries and the tests are made of: no part of the crate's interface, and without its promises.
#[doc(hidden)]
pub mod raw {
    pub use crate::global::NotWritten;
    pub use crate::global::{
        Missed, address_limit_changed, alloc_at_least, alloc_onnode, alloc_pages,
        alloc_pages_exact, cache_stats, calloc, class_stats, delete, delete_sized, free,
        free_pages, free_pages_exact, free_sized, kcalloc, keep_unused, keeps_deepbind, kfree,
        kfree_sensitive, kmalloc, kmem_alignment, kmem_alloc_bulk, kmem_alloc_fast,
        kmem_alloc_slow, kmem_create, kmem_destroy, kmem_free_bulk, kmem_free_fast, kmem_free_slow,
        kmem_name, kmem_set_limit, kmem_shrink, kmem_size, kmem_used, kmemdup, krealloc, ksize,
        limit_stats, malloc, malloc_counted, malloc_fast, malloc_slow, map_from, memalign,
        mempool_alloc, mempool_create, mempool_destroy, mempool_free, mempool_resize, missed_cache,
        new_slow, node_of, node_stats, numastat, page_order, profile_dump, profile_set,
        property_change, rcu_begin, rcu_end, realloc, realloc_fast, realloc_sized, realloc_slow,
        usable_size, validate, vmalloc,
    };
    pub use crate::global::{
        alloc_from_sheaf, prefill_sheaf, refill_sheaf, return_sheaf, sheaf_size,
    };
    pub use crate::global::{
        pool_alloc, pool_alloc_fast, pool_alloc_ready, pool_create, pool_destroy, pool_free,
        pool_free_fast, pool_free_ready, pool_has, pool_of, pool_pop, pool_push, pool_release,
        pool_reset, pool_set_limit, pool_stats, pool_used,
    };
    pub use crate::global::{print_stats, register_shrinker, stats, trim, unregister_shrinker};
    pub use crate::heap::LimitStats;
    pub use crate::kmem::{CacheArgs, CacheHandle, KmemError, SheafHandle};
    pub use crate::modes::Family;
    pub use crate::numa::NUMASTAT_NAMES;
    pub use crate::pool::{PoolHandle, PoolOptions};
    pub use crate::report::{Line, kept_descriptor};
    pub use crate::shrink::{CountObjects, MOST_NAME, ScanObjects, Shrinker};
    pub use crate::stats::{ClassStats, NodeStats, Stats};
    pub use crate::sys::{
        know_find_object, know_property_calls, know_rseq, know_single_threaded, page_size,
    };
}
