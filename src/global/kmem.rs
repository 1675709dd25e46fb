//! The named caches of the process.

use core::ptr::NonNull;

use super::birth::{alive, inside_alive};
use super::debugged_kmem;
use super::malloc::tick_own;
use super::named::{known, with};
use super::process::{is_interrupted, process, watching};
use super::purge_thread::Moment;
use super::threads::{CACHES, here, own};
use crate::kmem::{
    self, CacheArgs, FAST_FLAGS, Gfp, Kmem, KmemError, NamedCache, no_cache, wrong_cache,
};
use crate::report;
use crate::slab::Object;
use crate::sys;
use crate::units::NodeId;

/// Creates a cache; see `slub_kmem_cache_create_args` in slubmalloc.h. What is wrong with an argument is reported.
pub fn kmem_create(
    name: &[u8],
    size: usize,
    args: CacheArgs,
    flags: u32,
) -> Result<&'static NamedCache, KmemError> {
    let process = process().ok_or(KmemError::NoMemory)?;
    if is_interrupted() {
        return Err(KmemError::NoMemory);
    }
    inside_alive(|| {
        let make = || Kmem::new(&process.heap);
        let kmem = process.kmem.get_or_try_make(make);
        kmem.ok_or(KmemError::NoMemory)?
            .create(name, size, args, flags, &process.watch)
    })
}

/// Destroys a cache that nobody uses any more.
///
/// # Errors
///
/// [`KmemError::InUse`] if objects of it are in use, [`KmemError::Invalid`] if it was destroyed before; both are reported.
pub fn kmem_destroy(cache: &'static NamedCache) -> Result<(), KmemError> {
    debugged_kmem::wake();
    let done = with(|kmem| kmem.destroy(alive(), cache, &CACHES));
    done.unwrap_or(Err(KmemError::Invalid))
}

/// Gives back what is not in use of a cache, but for what other threads have at hand.
pub fn kmem_shrink(cache: &'static NamedCache) {
    let _ = with(|kmem| kmem.shrink(alive(), cache));
}

/// Objects of a cache that the program holds.
pub fn kmem_used(cache: &'static NamedCache) -> usize {
    debugged_kmem::wake();
    with(|kmem| kmem.used(cache, &CACHES)).unwrap_or(0)
}

/// Begins a grace period and returns its number, 0 where there is no cache; see `slub_rcu_begin` in slubmalloc.h.
pub fn rcu_begin() -> u64 {
    with(Kmem::begin_grace).unwrap_or(0)
}

/// Ends the grace period with this number, and all before; `false` if there is none.
pub fn rcu_end(number: u64) -> bool {
    let is_nothing = number == 0 && known().is_none();
    is_nothing || with(|kmem| kmem.end_grace(alive(), number)).unwrap_or(false)
}

/// The fast path of an allocation: the thread has an object of the cache at hand, and no flag needs more.
#[inline(always)]
pub fn kmem_alloc_fast(cache: &NamedCache, flags: u32) -> Option<NonNull<u8>> {
    if flags & !FAST_FLAGS != 0 {
        return None;
    }
    here().pop_named(cache.place())
}

/// What an allocation does where [`kmem_alloc_fast`] gives up. `node` is -1 for the thread's own.
#[inline(never)]
pub fn kmem_alloc_slow(
    cache: &'static NamedCache,
    flags: u32,
    node: i32,
) -> Result<NonNull<u8>, KmemError> {
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    if gfp.zeroes() && cache.constructs() || node < -1 {
        return Err(KmemError::Invalid);
    }
    let object = take(cache, gfp, node)?;
    let is_cleared = watching().is_some_and(|process| process.watch.zeroes_on_alloc());
    if gfp.zeroes() || is_cleared && !cache.constructs() && !cache.is_typesafe() {
        // SAFETY: the object was taken above and is that long.
        unsafe { sys::clear(object, cache.size()) };
    }
    Ok(object)
}

/// Allocates an object for each of the places; all or none.
///
/// # Errors
///
/// As for one object.
pub fn kmem_alloc_bulk(
    cache: &'static NamedCache,
    flags: u32,
    places: &mut [*mut u8],
) -> Result<(), KmemError> {
    let mut taken = 0;
    let mut failed = Gfp::new(flags).map_or(Err(KmemError::Invalid), |_| Ok(()));
    for place in places.iter_mut() {
        let object = match kmem_alloc_fast(cache, flags) {
            Some(object) if failed.is_ok() => object,
            _ => match failed.and_then(|()| kmem_alloc_slow(cache, flags, -1)) {
                Ok(object) => object,
                Err(why) => {
                    failed = Err(why);
                    break;
                }
            },
        };
        *place = object.as_ptr();
        taken += 1;
    }
    if failed.is_err() {
        kmem_free_bulk(cache, places.get(..taken).unwrap_or_default());
    }
    failed
}

/// The fast path of a free: `object` is one of the cache, and the thread's sheaf has room.
#[inline(always)]
pub fn kmem_free_fast(cache: &NamedCache, object: *mut u8) -> bool {
    here().push_named(cache.place(), cache.owner_word(), object)
}

/// What a free does where [`kmem_free_fast`] gives up; null is ignored.
#[inline(never)]
pub fn kmem_free_slow(cache: &'static NamedCache, object: *mut u8) {
    let Some(object) = NonNull::new(object) else {
        return;
    };
    if report::is_ending() {
        return;
    }
    if is_interrupted() {
        return own().map_or((), |own| own.defer(object));
    }
    if !known().is_some_and(|kmem| kmem.has(cache)) {
        return no_cache(core::ptr::from_ref(cache).addr());
    }
    let is_given = with(|kmem| match watching() {
        Some(process) => debugged_kmem::give(process, kmem, Some(cache), object),
        None => kmem.give(alive(), Some(cache), object),
    });
    if is_given != Some(true) {
        wrong_cache(object.as_ptr().addr(), None, cache);
    }
    tick_own(Moment::Free);
}

/// Frees objects of a cache.
pub fn kmem_free_bulk(cache: &'static NamedCache, objects: &[*mut u8]) {
    for object in objects {
        if !kmem_free_fast(cache, *object) {
            kmem_free_slow(cache, *object);
        }
    }
}

fn take(cache: &'static NamedCache, gfp: Gfp, node: i32) -> Result<Object, KmemError> {
    if report::is_ending() || is_interrupted() {
        return Err(KmemError::NoMemory);
    }
    if !known().is_some_and(|kmem| kmem.has(cache)) {
        no_cache(core::ptr::from_ref(cache).addr());
        return Err(KmemError::Invalid);
    }
    let attempt = || {
        inside_alive(|| {
            let kmem = known().ok_or(KmemError::NoMemory)?;
            if node < 0 {
                let guarded =
                    watching().and_then(|process| debugged_kmem::take(process, cache, gfp));
                return Ok(guarded.or_else(|| kmem.take(alive(), cache, gfp)));
            }
            let node = u8::try_from(node).map_err(|_| KmemError::Invalid)?;
            let taken = kmem.take_on(alive(), cache, NodeId(node), gfp);
            taken.ok_or(KmemError::Invalid)
        })
    };
    let mut taken = attempt()?;
    if taken.is_none() && watching().is_some() {
        // What the limit counts may be in quarantine.
        debugged_kmem::wake();
        taken = attempt()?;
    }
    if gfp.may_wait() {
        tick_own(Moment::Malloc);
    }
    match taken {
        Some(object) => Ok(object),
        None if gfp.never_fails() => kmem::out_of_memory(cache.title()),
        None => Err(KmemError::NoMemory),
    }
}
