//! A pool as an allocator.

use core::alloc::Layout;
use core::fmt::{self, Debug, Formatter};
use core::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};
use slubmalloc::{Pool, Shared};

/// Memory of a [`Pool`], which cannot be reset or end as long as there is a collection with it.
///
/// What a pool or a limit has no memory for is what the collection makes of that: `try_reserve` returns an error, and `push` ends the
/// process.
///
/// ```compile_fail,E0505
/// let pool = slubmalloc::Pool::new().unwrap();
/// let mut numbers = allocator_api2::vec::Vec::new_in(slubmalloc_allocator::PoolAllocator::new(&pool));
/// drop(pool);
/// numbers.push(1);
/// ```
pub struct PoolAllocator<'pool, M = Shared> {
    pool: &'pool Pool<'pool, M>,
}

impl<'pool, M> PoolAllocator<'pool, M> {
    /// The allocator of a pool.
    #[inline]
    pub const fn new(pool: &'pool Pool<'_, M>) -> Self {
        Self { pool }
    }

    /// The pool.
    #[inline]
    pub const fn pool(&self) -> &'pool Pool<'pool, M> {
        self.pool
    }
}

impl<M> Clone for PoolAllocator<'_, M> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for PoolAllocator<'_, M> {}

impl<M> Debug for PoolAllocator<'_, M> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.debug_struct("PoolAllocator").finish_non_exhaustive()
    }
}

// SAFETY: blocks are as long and aligned as asked, and stay where they are until they are freed or the pool is reset or ends; which the borrow of
// every copy of the allocator forbids. All copies are of the same pool.
unsafe impl<M> Allocator for PoolAllocator<'_, M> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        sized(self.pool.allocate(layout), layout.size())
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        sized(self.pool.allocate_zeroed(layout), layout.size())
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.pool.deallocate(block, layout) };
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

impl<M> PoolAllocator<'_, M> {
    /// A block of another layout with what the old one held.
    ///
    /// # Safety
    ///
    /// As for [`Pool::reallocate`].
    unsafe fn resize(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if new.align() == old.align() {
            // SAFETY: the caller's promise.
            let moved = unsafe { self.pool.reallocate(block, old, new.size()) };
            return sized(moved, new.size());
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

fn sized(
    block: Result<NonNull<u8>, slubmalloc::AllocError>,
    bytes: usize,
) -> Result<NonNull<[u8]>, AllocError> {
    let block = block.map_err(|_| AllocError)?;
    Ok(NonNull::slice_from_raw_parts(block, bytes))
}
