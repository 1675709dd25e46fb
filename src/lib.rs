#![doc = include_str!("README.md")]
#![no_std]

// The floor plan: bottom to top, imports and calls and locks go down only. `tests/layers.rs` reads it.
mod units;
mod sys;
mod sync;
mod report;
mod numa;
mod arena;
mod slab;
mod huge;
mod heap;
mod cache;
mod stats;
mod config;
mod global;

pub use global::{
    calloc, check_size, class_stats, free, malloc, malloc_fast, malloc_slow, memalign, print_stats, realloc, stats, trim,
    usable_size, wants_stats_at_exit,
};
pub use report::Line;
pub use sys::page_size;
pub use stats::{ClassStats, Stats};

use core::alloc::{GlobalAlloc, Layout};

/// The allocator as a Rust `#[global_allocator]`.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: slubmalloc::Slubmalloc = slubmalloc::Slubmalloc;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Slubmalloc;

// SAFETY: blocks are as long and aligned as asked, and live until they are freed.
unsafe impl GlobalAlloc for Slubmalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        memalign(layout.align(), layout.size())
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { free(block) };
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= units::MIN_ALIGN {
            return calloc(1, layout.size());
        }
        let block = memalign(layout.align(), layout.size());
        if let Some(block) = core::ptr::NonNull::new(block) {
            // SAFETY: the block was allocated above with that size.
            unsafe { sys::clear(block, layout.size()) };
        }
        block
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= units::MIN_ALIGN {
            // SAFETY: the caller's promise; `size` is not 0.
            return unsafe { realloc(block, size) };
        }
        let new = memalign(layout.align(), size);
        if let (Some(old), Some(to)) = (core::ptr::NonNull::new(block), core::ptr::NonNull::new(new)) {
            // SAFETY: two blocks, both at least as long as the shorter one.
            unsafe { sys::copy(old, to, layout.size().min(size)) };
            // SAFETY: the caller's promise.
            unsafe { free(block) };
        }
        new
    }
}
