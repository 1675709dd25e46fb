//! Mempools: allocations that wait for a free instead of failing, as in Linux' mm/mempool.c.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::birth::alive;
use super::named::{known, with};
use super::process::is_interrupted;
use super::threads::CACHES;
use super::{kmem_alloc_fast, kmem_alloc_slow, kmem_free_fast, kmem_free_slow};
use crate::kmem::{Gfp, KmemError, NamedCache, no_cache};
use crate::report;

/// A pool of `count` objects, 1 to 65,535, in reserve beside those of a cache.
///
/// # Errors
///
/// [`KmemError::Invalid`] for another count, [`KmemError::NoMemory`] if there is none for all of them, or the cache's limit
/// forbids them.
pub fn mempool_create(
    cache: &'static NamedCache,
    count: usize,
) -> Result<&'static NamedCache, KmemError> {
    let create =
        |kmem: &'static crate::kmem::Kmem| kmem.create_reserve(alive(), cache, count, &CACHES);
    with(create).unwrap_or(Err(KmemError::NoMemory))
}

/// An object: of the cache, or of the reserve. With flags that allow waiting, waits until there is one.
///
/// # Errors
///
/// [`KmemError::NoMemory`] only with flags that forbid waiting; [`KmemError::Invalid`] also for `__GFP_ZERO`.
pub fn mempool_alloc(pool: &'static NamedCache, flags: u32) -> Result<NonNull<u8>, KmemError> {
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    let Some(cache) = pool.base().filter(|_| pool.exists() && !gfp.zeroes()) else {
        return Err(KmemError::Invalid);
    };
    if let Some(object) = kmem_alloc_fast(cache, flags) {
        return Ok(object);
    }
    let reserved = || with(|kmem| kmem.take_reserved(alive(), pool)).flatten();
    let soon = || kmem_alloc_slow(cache, gfp.without_waiting(), -1).ok();
    if let Some(object) = soon().or_else(reserved) {
        return Ok(object);
    }
    if !gfp.may_wait() {
        return Err(KmemError::NoMemory);
    }
    loop {
        if let Ok(object) = kmem_alloc_slow(cache, gfp.may_fail(), -1) {
            return Ok(object);
        }
        if is_interrupted() || report::is_ending() {
            return Err(KmemError::NoMemory);
        }
        if let Some(object) = pool.wait(reserved) {
            return Ok(object);
        }
    }
}

/// Frees an object of a pool or of its cache; null is ignored.
pub fn mempool_free(pool: &'static NamedCache, object: *mut u8) {
    let Some(cache) = pool.base() else {
        return no_cache(core::ptr::from_ref(pool).addr());
    };
    if !kmem_free_fast(cache, object) {
        kmem_free_slow(cache, object);
    }
    pool.notify();
}

/// Changes how many objects a pool has in reserve.
///
/// # Errors
///
/// As for [`mempool_create`]; the pool is as it was.
pub fn mempool_resize(pool: &'static NamedCache, count: usize) -> Result<(), KmemError> {
    let resized = with(|kmem| kmem.resize_reserve(alive(), pool, count));
    resized.unwrap_or(Err(KmemError::NoMemory))
}

/// Destroys a pool whose reserve nobody uses any more.
///
/// # Errors
///
/// [`KmemError::InUse`] if objects of the reserve are in use, which is reported; [`KmemError::Invalid`] for what is no pool.
pub fn mempool_destroy(pool: &'static NamedCache) -> Result<(), KmemError> {
    let known = known().is_some();
    let destroyed = with(|kmem| kmem.destroy_reserve(alive(), pool, &CACHES));
    destroyed.unwrap_or(if known {
        Err(KmemError::NoMemory)
    } else {
        Err(KmemError::Invalid)
    })
}
