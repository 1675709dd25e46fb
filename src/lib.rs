//! The Linux kernel's page and slab allocators as a userspace `malloc`.
#![doc = include_str!("README.md")]
#![no_std]

// The floor plan: bottom to top, imports and calls and locks go down only. `tests/layers.rs` reads it.
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
mod watch;
mod cache;
mod stats;
mod config;
mod global;
mod global_alloc;

pub use global::{
    address_limit_changed, alloc_onnode, calloc, class_stats, free, free_sized, keep_unused,
    keeps_deepbind, look_at_exit, malloc, malloc_fast, malloc_slow, map_from, memalign, node_of,
    node_stats, print_stats, realloc, stats, traffic, trim, usable_size, validate,
    wants_stats_at_exit,
};
pub use global_alloc::Slubmalloc;
pub use heap::TRAFFIC_NAMES;
pub use report::Line;
pub use stats::{ClassStats, NodeStats, Stats};
pub use sys::{know_find_object, know_single_threaded, page_size};
