//! Mempools: allocations that wait for a free instead of failing, as in Linux' mm/mempool.c.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::birth::alive;
use super::debugged_kmem;
use super::kmem::collect;
use super::named::{find_cache, find_mempool, with};
use super::process::is_interrupted;
use super::threads::CACHES;
use super::{kmem_alloc_fast, kmem_alloc_slow, kmem_free_fast, kmem_free_slow};
use crate::kmem::{CacheHandle, Gfp, KmemError, NamedCache};
use crate::report;

/// A pool of `count` objects, 1 to 65,535, in reserve beside those of a cache.
///
/// # Errors
///
/// [`KmemError::Invalid`] for another count, [`KmemError::NoMemory`] if there is none for all of them, or the cache's limit
/// forbids them.
pub fn mempool_create(cache: CacheHandle, count: usize) -> Result<CacheHandle, KmemError> {
    let cache = find_cache(cache).ok_or(KmemError::Invalid)?;
    let create = || {
        let pool = with(|kmem| kmem.create_reserve(alive(), cache, count, &CACHES));
        pool.unwrap_or(Err(KmemError::NoMemory))
    };
    let pool = collecting(cache, create)?;
    Ok(pool.handle())
}

/// An object: of the cache, or of the reserve. With flags that allow waiting, waits until there is one; with `__GFP_NOFAIL` passes
/// limits instead, as that does in the kernel's.
///
/// # Errors
///
/// [`KmemError::NoMemory`] only with flags that forbid waiting; [`KmemError::Invalid`] also for `__GFP_ZERO`.
pub fn mempool_alloc(pool: CacheHandle, flags: u32) -> Result<NonNull<u8>, KmemError> {
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    let (pool, cache) = find_pool(pool)?;
    if gfp.zeroes() {
        return Err(KmemError::Invalid);
    }
    let cache = cache.handle();
    if let Ok(object) = kmem_alloc_fast(cache, flags) {
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
    if gfp.never_fails() {
        return kmem_alloc_slow(cache, flags, -1);
    }
    loop {
        if let Ok(object) = kmem_alloc_slow(cache, flags, -1) {
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
pub fn mempool_free(pool: CacheHandle, object: *mut u8) {
    let Ok((pool, cache)) = find_pool(pool) else {
        return;
    };
    let cache = cache.handle();
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
pub fn mempool_resize(pool: CacheHandle, count: usize) -> Result<(), KmemError> {
    let (pool, cache) = find_pool(pool)?;
    debugged_kmem::release(pool);
    collecting(cache, || {
        let resized = with(|kmem| kmem.resize_reserve(alive(), pool, count));
        resized.unwrap_or(Err(KmemError::NoMemory))
    })
}

/// Destroys a pool whose reserve nobody uses any more.
///
/// # Errors
///
/// [`KmemError::InUse`] if objects of the reserve are in use, which is reported; [`KmemError::Invalid`] for what is no pool.
pub fn mempool_destroy(pool: CacheHandle) -> Result<(), KmemError> {
    let (pool, _) = find_pool(pool)?;
    debugged_kmem::release(pool);
    let destroyed = with(|kmem| kmem.destroy_reserve(alive(), pool, &CACHES));
    destroyed.unwrap_or(Err(KmemError::NoMemory))
}

/// Tries something for which a cache may have too few objects; once more when what threads have at hand and quarantine has is back.
fn collecting<T>(
    cache: &'static NamedCache,
    attempt: impl Fn() -> Result<T, KmemError>,
) -> Result<T, KmemError> {
    match attempt() {
        Err(KmemError::NoMemory) => {
            debugged_kmem::release(cache);
            collect(cache);
            attempt()
        }
        result => result,
    }
}

/// The pool with a handle and its cache; an error for what is none, which is reported.
fn find_pool(handle: CacheHandle) -> Result<(&'static NamedCache, &'static NamedCache), KmemError> {
    let pool = find_mempool(handle).ok_or(KmemError::Invalid)?;
    Ok((pool, pool.base().ok_or(KmemError::Invalid)?))
}
