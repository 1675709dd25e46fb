//! The process's heap as an allocator.

use core::alloc::{GlobalAlloc, Layout};
use core::num::NonZero;
use core::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};
use slubmalloc::Slubmalloc;

/// Memory of the one heap of slubmalloc in the process, also of a program with another `#[global_allocator]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heap;

// SAFETY: blocks are as long and aligned as asked, and stay where they are until they are freed. There is one heap.
unsafe impl Allocator for Heap {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            return Ok(nothing(layout));
        }
        // SAFETY: not empty.
        sized(unsafe { Slubmalloc.alloc(layout) }, layout)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            return Ok(nothing(layout));
        }
        // SAFETY: not empty.
        sized(unsafe { Slubmalloc.alloc_zeroed(layout) }, layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        if layout.size() > 0 {
            // SAFETY: the caller's promise.
            unsafe { Slubmalloc.dealloc(block.as_ptr(), layout) };
        }
    }

    #[inline]
    unsafe fn grow(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's promise.
        unsafe { self.resize(block, old, new) }
    }

    #[inline]
    unsafe fn shrink(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's promise.
        unsafe { self.resize(block, old, new) }
    }
}

impl Heap {
    /// A block of another layout with what the old one held.
    ///
    /// # Safety
    ///
    /// As for `Allocator::grow`, but for which of the layouts is the longer one.
    unsafe fn resize(
        self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if old.size() > 0 && new.size() > 0 && old.align() == new.align() {
            // SAFETY: the caller's promise; neither is empty.
            let moved = unsafe { Slubmalloc.realloc(block.as_ptr(), old, new.size()) };
            return sized(moved, new);
        }
        let moved = self.allocate(new)?;
        let bytes = old.size().min(new.size());
        // SAFETY: two blocks, both at least as long as the shorter one.
        unsafe { moved.cast::<u8>().copy_from_nonoverlapping(block, bytes) };
        // SAFETY: the caller's promise.
        unsafe { self.deallocate(block, old) };
        Ok(moved)
    }
}

fn sized(block: *mut u8, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
    let block = NonNull::new(block).ok_or(AllocError)?;
    Ok(NonNull::slice_from_raw_parts(block, layout.size()))
}

/// An aligned address where there is nothing.
fn nothing(layout: Layout) -> NonNull<[u8]> {
    let place = NonZero::new(layout.align()).map(NonNull::without_provenance);
    NonNull::slice_from_raw_parts(place.unwrap_or(NonNull::dangling()), 0)
}
