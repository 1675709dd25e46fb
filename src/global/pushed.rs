//! Pools that the calling thread's `malloc` takes blocks from in place of its cache: the one that was pushed last.
//!
//! # Invariant
//!
//! While anything is pushed the thread's slot points to a stub, so that every call comes by the slow paths. Fast paths know nothing of this.
#![forbid(unsafe_code)]

use core::ptr::{NonNull, null_mut};

use super::birth::alive;
use super::pooled::{
    find, known, pool_alloc_fast, pool_alloc_ready, pool_free_fast, pool_free_ready, take_from,
};
use super::process::{PROCESS, is_interrupted, with_modes};
use super::threads::{here, inside, own, stand_in};
use super::uncached::answer;
use crate::cache::ThreadCache;
use crate::kmem::KmemError;
use crate::pool::{self, Pool, PoolHandle, Pools, Refused, Stays};
use crate::report;
use crate::slab::Request;
use crate::units::Zeroed;

/// Has the calling thread's `malloc` take from a pool until that is popped; see `slub_pool_push` in slubmalloc.h.
///
/// # Errors
///
/// [`KmemError::Invalid`] for what is no pool, which is reported; [`KmemError::NoMemory`] where there is no memory for that, or no room for
/// one more; [`KmemError::InUse`] in a signal handler that has interrupted its thread in the allocator.
pub fn pool_push(handle: PoolHandle) -> Result<(), KmemError> {
    if is_interrupted() {
        return Err(KmemError::InUse);
    }
    let (_, pool) = find(handle).ok_or(KmemError::Invalid)?;
    let (cache, binding) = alive().ok_or(KmemError::NoMemory)?;
    let stub = inside(|| cache.push_source(binding, handle.addr()));
    let stub = stub.ok_or(KmemError::NoMemory)?;
    pool.note_push();
    stand_in(stub);
    Ok(())
}

/// Takes the last push back, which must be of that pool.
///
/// # Errors
///
/// [`KmemError::Invalid`] if it is not, which is reported.
pub fn pool_pop(handle: PoolHandle) -> Result<(), KmemError> {
    let cache = own().filter(|cache| cache.pop_source(handle.addr()));
    let Some(cache) = cache else {
        let top = own().and_then(|cache| cache.source(0));
        pool::not_on_top(handle, top.map(PoolHandle::of));
        return Err(KmemError::Invalid);
    };
    let sees_all = with_modes().is_some_and(|process| process.modes.sees_all());
    if !cache.has_source() && !sees_all {
        stand_in(cache);
    }
    Ok(())
}

/// A block that the pool that was pushed last has at hand.
#[inline(always)]
pub(super) fn take_ready(size: usize) -> Option<NonNull<u8>> {
    take_ready_for(here().stubbed()?, size)
}

#[inline(never)]
fn take_ready_for(cache: &'static ThreadCache, size: usize) -> Option<NonNull<u8>> {
    let handle = PoolHandle::of(cache.source(0)?);
    pool_alloc_fast(handle, size).or_else(|| pool_alloc_ready(handle, size))
}

/// A block from the pool that was pushed last and exists, or null if that has none; `None` if the thread's blocks come from where they
/// always do.
#[inline(always)]
pub(super) fn take(size: usize, align: usize, zeroed: Zeroed) -> Option<*mut u8> {
    take_for(here().stubbed()?, size, align, zeroed)
}

#[inline(never)]
fn take_for(
    cache: &'static ThreadCache,
    size: usize,
    align: usize,
    zeroed: Zeroed,
) -> Option<*mut u8> {
    if report::is_ending() || is_interrupted() {
        return None;
    }
    let request = Request::new(size, align, zeroed);
    loop {
        let (pools, pool, handle) = top(cache)?;
        let Some(request) = &request else {
            return Some(answer(None, size));
        };
        match take_from(pools, (pool, handle), request) {
            Ok(block) => return Some(block.as_ptr()),
            // The one below it is next.
            Err(Refused::Stays(Stays::Gone)) => {}
            // By this thread, of which this is a signal handler.
            Err(Refused::Stays(Stays::Busy)) => return None,
            // The system has memory.
            Err(Refused::Limit) => return Some(null_mut()),
            Err(Refused::NoMemory) => return Some(answer(None, size)),
        }
    }
}

/// Takes back what a thread with a pool of its own frees most: the pool's blocks, and then its cache's; `false` for all others.
#[inline(always)]
pub(super) fn give(block: NonNull<u8>) -> bool {
    here().stubbed().is_some_and(|cache| give_for(cache, block))
}

#[inline(never)]
fn give_for(cache: &'static ThreadCache, block: NonNull<u8>) -> bool {
    let (Some(top), block) = (cache.source(0), block.as_ptr()) else {
        return false;
    };
    let handle = PoolHandle::of(top);
    pool_free_fast(handle, block)
        || pool_free_ready(handle, block)
        || PROCESS
            .get()
            .is_some_and(|process| !process.modes.is_on() && cache.push(block))
}

/// Runs what allocates whatever is pushed: what `realloc` moves stays where it was, and the kernel's functions are not `malloc`.
#[inline(always)]
pub(super) fn beside<T>(run: impl FnOnce() -> T) -> T {
    match here().stubbed() {
        Some(cache) => cache.beside_sources(run),
        None => run(),
    }
}

/// The pool that was pushed last of those that still exist.
fn top(cache: &ThreadCache) -> Option<(&'static Pools, &'static Pool, PoolHandle)> {
    let pools = known()?;
    let handles = (0..).map_while(|depth| cache.source(depth).map(PoolHandle::of));
    let mut living = handles.filter_map(|handle| Some((pools, pools.find(handle)?, handle)));
    living.next()
}
