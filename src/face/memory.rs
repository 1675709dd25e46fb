//! A pool's memory by layouts, for containers that bring their own types.

use core::alloc::Layout;
use core::num::NonZero;
use core::ptr::NonNull;

use super::error::AllocError;
use super::pool::Pool;
use crate::global::{
    pool_alloc, pool_alloc_fast, pool_alloc_ready, pool_free, pool_free_fast, pool_free_ready,
    realloc_slow,
};
use crate::sys;
use crate::units::MIN_ALIGN;

impl<M> Pool<'_, M> {
    /// Memory with a layout, which is the caller's until [`deallocate`](Self::deallocate), a reset, or the pool's end. No bytes are
    /// no memory, at an address that is aligned.
    ///
    /// # Errors
    ///
    /// If there is no memory, or a limit forbids it.
    #[inline]
    pub fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.size() == 0 {
            return Ok(nothing(layout));
        }
        if layout.align() <= MIN_ALIGN
            && let Some(block) = pool_alloc_fast(self.handle(), layout.size())
        {
            return Ok(block);
        }
        self.allocate_slow(layout)
    }

    /// The same, reading as zero.
    ///
    /// # Errors
    ///
    /// As for [`Self::allocate`].
    pub fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.size() == 0 {
            return Ok(nothing(layout));
        }
        let block = pool_alloc(self.handle(), layout.size(), layout.align(), true);
        block.map_err(|_| AllocError)
    }

    /// Frees memory. In no other way than by this, a reset, or the pool's end may memory of a pool go back: `free` and
    /// [`Slubmalloc`](crate::Slubmalloc) do not know who uses a [`LocalPool`](crate::LocalPool).
    ///
    /// # Safety
    ///
    /// `block` is one that this pool gave for this layout, and nobody uses it any more.
    #[inline]
    pub unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        if layout.size() > 0 && !pool_free_fast(self.handle(), block.as_ptr()) {
            self.free_slow(block);
        }
    }

    /// Memory of another size with what the block held, as far as it fits; the block is that, or is freed.
    ///
    /// # Errors
    ///
    /// As for [`Self::allocate`]; the block stays as it was.
    ///
    /// # Safety
    ///
    /// As for [`Self::deallocate`], unless there is an error. `size`, rounded up to the layout's alignment, is not above `isize::MAX`.
    pub unsafe fn reallocate(
        &self,
        block: NonNull<u8>,
        layout: Layout,
        size: usize,
    ) -> Result<NonNull<u8>, AllocError> {
        if layout.size() > 0 && size > 0 && layout.align() <= MIN_ALIGN {
            // SAFETY: the caller's promise; a block's pool is found by its address.
            let moved = unsafe { realloc_slow(block.as_ptr(), size) };
            return NonNull::new(moved).ok_or(AllocError);
        }
        let new = Layout::from_size_align(size, layout.align()).map_err(|_| AllocError)?;
        let moved = self.allocate(new)?;
        // SAFETY: two blocks, both at least as long as the shorter one.
        unsafe { sys::copy(block, moved, layout.size().min(size)) };
        // SAFETY: the caller's promise.
        unsafe { self.deallocate(block, layout) };
        Ok(moved)
    }

    #[cold]
    #[inline(never)]
    fn allocate_slow(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.align() <= MIN_ALIGN
            && let Some(block) = pool_alloc_ready(self.handle(), layout.size())
        {
            return Ok(block);
        }
        let block = pool_alloc(self.handle(), layout.size(), layout.align(), false);
        block.map_err(|_| AllocError)
    }

    #[cold]
    #[inline(never)]
    fn free_slow(&self, block: NonNull<u8>) {
        if !pool_free_ready(self.handle(), block.as_ptr()) {
            pool_free(self.handle(), block.as_ptr());
        }
    }
}

/// An aligned address where there is nothing.
fn nothing(layout: Layout) -> NonNull<u8> {
    NonZero::new(layout.align()).map_or(NonNull::dangling(), NonNull::without_provenance)
}
