//! Threads and their caches: what the slot of each points to.
//!
//! # Invariant
//!
//! A thread's slot points to the unborn cache, to a cache that it owns, to a stub of that, or, after its exit hook,
//! to the dead cache.

use crate::cache::{Registry, ThreadCache};
use crate::sys::{ExitKey, tls};

/// What a thread's slot points to before its first allocation.
static UNBORN: ThreadCache = ThreadCache::vacant();
/// What it points to after its exit hook.
static DEAD: ThreadCache = ThreadCache::vacant();
/// All thread caches.
pub(super) static CACHES: Registry = Registry::new();
/// Gives notice of the ends of threads.
pub(super) static EXITS: ExitKey = ExitKey::new();

tls::define_slot!(UNBORN);

/// The calling thread's cache.
#[inline(always)]
pub(super) fn here() -> &'static ThreadCache {
    // SAFETY: the slot holds the address of a static cache or of one in memory that is never
    // given back.
    unsafe { &*tls::read().cast::<ThreadCache>() }
}

/// The calling thread's cache, if it has one.
pub(super) fn own() -> Option<&'static ThreadCache> {
    let cache = here().stubbed().unwrap_or(here());
    cache.binding().map(|_| cache)
}

/// Runs what takes locks for the calling thread; see [`ThreadCache::inside`].
pub(super) fn inside<T>(run: impl FnOnce() -> T) -> T {
    match own() {
        Some(cache) => cache.inside(run),
        None => run(),
    }
}

/// Lets the calling thread do without a cache for good.
pub(super) fn leave_caches() {
    tls::write((&raw const DEAD).cast());
}

/// Whether the calling thread has left.
pub(super) fn has_left() -> bool {
    core::ptr::eq(here(), &raw const DEAD)
}

/// Has the calling thread's slot point to its cache, or to a stub of that.
pub(super) fn stand_in(cache: &'static ThreadCache) {
    tls::write(core::ptr::from_ref(cache).cast());
}
