//! A named cache with an owner, and memory of its objects.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::builder::CacheBuilder;
use super::error::{AllocError, CreateError};
use crate::global::{
    kmem_alloc_fast, kmem_alloc_slow, kmem_create, kmem_destroy, kmem_free_fast, kmem_free_slow,
    kmem_set_limit, kmem_shrink, kmem_used,
};
use crate::kmem::{CacheArgs, CacheHandle, Gfp};

/// A constructor or destructor of objects.
pub(super) type Hook = extern "C" fn(*mut u8);

/// How objects get their memory: they may wait for locks, and may fail.
const KERNEL: u32 = Gfp::KERNEL.may_fail();

/// Owns a cache.
#[derive(Debug)]
pub(super) struct RawCache {
    handle: CacheHandle,
}

impl RawCache {
    /// A cache of objects that a `T` fits in.
    pub(super) fn new<T>(
        builder: &CacheBuilder<'_>,
        constructor: Option<Hook>,
        destructor: Option<Hook>,
    ) -> Result<Self, CreateError> {
        let args = CacheArgs {
            align: u32::try_from(align_of::<T>()).map_err(|_| CreateError::Invalid)?,
            sheaf_capacity: builder.sheaf_capacity,
            constructor,
            destructor,
            limit: builder.limit.unwrap_or(0),
            ..CacheArgs::default()
        };
        // What takes no memory has an object, too, which the limit counts.
        let bytes = size_of::<T>().max(1);
        let handle = kmem_create(builder.name.as_bytes(), bytes, args, 0)?;
        let cache = Self { handle };
        if builder.limit == Some(0) {
            cache.set_limit(Some(0));
        }
        Ok(cache)
    }

    /// Memory of an object, which may have been one of another time.
    #[inline]
    pub(super) fn take(&self) -> Result<Slot<'_>, AllocError> {
        let object = kmem_alloc_fast(self.handle, KERNEL)
            .or_else(|_| kmem_alloc_slow(self.handle, KERNEL, -1));
        Ok(Slot {
            object: object.map_err(|_| AllocError)?,
            cache: self,
        })
    }

    pub(super) fn used(&self) -> usize {
        kmem_used(self.handle).unwrap_or(0)
    }

    pub(super) fn set_limit(&self, objects: Option<usize>) {
        kmem_set_limit(self.handle, objects.unwrap_or(usize::MAX));
    }

    pub(super) fn shrink(&self) {
        let _ = kmem_shrink(self.handle);
    }
}

impl Drop for RawCache {
    fn drop(&mut self) {
        // An object that was forgotten is in use for ever: that is reported, and cache and objects stay.
        let _ = kmem_destroy(self.handle);
    }
}

/// Owns the memory of an object.
#[derive(Debug)]
pub(super) struct Slot<'cache> {
    object: NonNull<u8>,
    cache: &'cache RawCache,
}

impl Slot<'_> {
    /// Where it is.
    #[inline]
    pub(super) fn place<T>(&self) -> NonNull<T> {
        self.object.cast()
    }
}

impl Drop for Slot<'_> {
    #[inline]
    fn drop(&mut self) {
        if !kmem_free_fast(self.cache.handle, self.object.as_ptr()) {
            kmem_free_slow(self.cache.handle, self.object.as_ptr());
        }
    }
}
