//! The Rust face: `#[global_allocator]`.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;

use crate::global::{calloc, free_sized, memalign, realloc_sized};
use crate::sys;
use crate::units::MIN_ALIGN;

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
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { free_sized(block, layout.size(), layout.align()) };
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= MIN_ALIGN {
            return calloc(1, layout.size());
        }
        let block = memalign(layout.align(), layout.size());
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the block was allocated above with that size.
            unsafe { sys::clear(block, layout.size()) };
        }
        block
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= MIN_ALIGN {
            // SAFETY: the caller's promise; `size` is not 0.
            return unsafe { realloc_sized(block, layout.size(), layout.align(), size) };
        }
        let new = memalign(layout.align(), size);
        if let (Some(old), Some(to)) = (NonNull::new(block), NonNull::new(new)) {
            // SAFETY: two blocks, both at least as long as the shorter one.
            unsafe { sys::copy(old, to, layout.size().min(size)) };
            // SAFETY: the caller's promise.
            unsafe { self.dealloc(block, layout) };
        }
        new
    }
}
