//! The named caches as the rest of the process sees them: whose object a block is, and memory apart from the program's.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::birth::inside_alive;
use super::process::{PROCESS, is_interrupted};
use crate::kmem::{CacheHandle, Kmem, NamedCache, no_cache, unknown_cache, wrong_kind};

/// The bytes of the object at `address`, if it is one of a named cache.
pub(super) fn usable_size(address: usize) -> Option<usize> {
    let (cache, _, is_start) = known()?.cache_of(address)?;
    Some(if is_start { cache.size() } else { 0 })
}

/// Memory of zeroes apart from the program's.
pub(super) fn take_memory(bytes: usize) -> Option<NonNull<u8>> {
    with(|kmem| kmem.take_memory(bytes)).flatten()
}

/// Takes back what [`take_memory`] gave.
pub(super) fn give_memory(memory: NonNull<u8>, bytes: usize) {
    let _ = with(|kmem| kmem.give_memory(memory, bytes));
}

/// The cache with a handle; none if there is no such cache, which is reported.
#[inline(never)]
pub(super) fn find(handle: CacheHandle) -> Option<&'static NamedCache> {
    let kmem = known();
    let cache = kmem.and_then(|kmem| kmem.find(handle));
    if cache.is_none() {
        match kmem.is_some_and(|kmem| kmem.is_handle(handle)) {
            true => no_cache(handle),
            false => unknown_cache(handle),
        }
    }
    cache
}

/// The same of what the program created as a cache: a mempool is none.
pub(super) fn find_cache(handle: CacheHandle) -> Option<&'static NamedCache> {
    find_kind(handle, |cache| cache.base().is_none())
}

/// The same of a mempool.
pub(super) fn find_mempool(handle: CacheHandle) -> Option<&'static NamedCache> {
    find_kind(handle, |cache| cache.base().is_some())
}

fn find_kind(
    handle: CacheHandle,
    is_right: impl FnOnce(&NamedCache) -> bool,
) -> Option<&'static NamedCache> {
    let cache = find(handle)?;
    if !is_right(cache) {
        wrong_kind(cache);
        return None;
    }
    Some(cache)
}

pub(super) fn known() -> Option<&'static Kmem> {
    PROCESS.get()?.kmem.get()
}

/// Runs what takes locks; `None` where there is no cache at all, or where a signal handler must not wait.
pub(super) fn with<T>(run: impl FnOnce(&'static Kmem) -> T) -> Option<T> {
    let kmem = known().filter(|_| !is_interrupted())?;
    Some(inside_alive(|| run(kmem)))
}
