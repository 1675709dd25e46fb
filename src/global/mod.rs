//! The one heap of a process: the functions that everything calls.
//!

mod at_exit;
mod birth;
mod debugged;
mod debugged_kmem;
mod directory;
mod early;
mod kmalloc;
mod kmem;
mod life;
mod look;
mod machine;
mod mail;
mod malloc;
mod memory;
mod mempool;
mod named;
mod naming;
mod onnode;
mod pace;
mod pages;
mod pool;
mod pooled;
mod prefilled;
mod process;
mod profile_out;
mod profile_switch;
mod profiled;
mod progress;
mod pushed;
mod purge;
mod purge_loop;
mod purge_thread;
mod relief;
mod requests;
mod service;
mod settle;
mod shrinkers;
mod size;
mod space;
mod thread_exit;
mod threads;
mod trim;
mod tuning;
mod typed;
mod uncached;
mod unload;
mod visits;
mod young;

pub use kmalloc::{
    alloc_at_least, kcalloc, kfree, kfree_sensitive, kmalloc, kmemdup, krealloc, ksize, vmalloc,
};
pub use kmem::{
    Missed, kmem_alignment, kmem_alloc_bulk, kmem_alloc_fast, kmem_alloc_slow, kmem_create,
    kmem_destroy, kmem_free_bulk, kmem_free_fast, kmem_free_slow, kmem_name, kmem_set_limit,
    kmem_shrink, kmem_size, kmem_used, missed_cache, rcu_begin, rcu_end,
};
pub use look::{
    cache_stats, class_stats, keeps_deepbind, limit_stats, node_stats, numastat, pool_stats,
    print_stats, stats, validate,
};
pub use malloc::{calloc, free, malloc, malloc_counted, malloc_fast, malloc_slow, memalign};
pub use mempool::{mempool_alloc, mempool_create, mempool_destroy, mempool_free, mempool_resize};
pub use onnode::{alloc_onnode, node_of};
pub use pages::{alloc_pages, alloc_pages_exact, free_pages, free_pages_exact, page_order};
pub use pool::{
    pool_alloc, pool_create, pool_destroy, pool_free, pool_has, pool_of, pool_release, pool_reset,
    pool_set_limit, pool_used,
};
pub use pooled::{pool_alloc_fast, pool_alloc_ready, pool_free_fast, pool_free_ready};
pub use prefilled::{alloc_from_sheaf, prefill_sheaf, refill_sheaf, return_sheaf, sheaf_size};
pub use profile_out::{NotWritten, profile_dump};
pub use profile_switch::profile_set;
pub use pushed::{pool_pop, pool_push};
pub use relief::{register_shrinker, unregister_shrinker};
pub use size::{realloc, realloc_fast, realloc_slow, usable_size};
pub use space::{address_limit_changed, property_change};
pub use trim::trim;
pub use tuning::{keep_unused, map_from};
pub use typed::{delete, delete_sized, free_sized, new_slow, realloc_sized};
