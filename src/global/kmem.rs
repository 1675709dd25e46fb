//! The named caches of the process.

use core::ptr::NonNull;

use super::birth::{alive, inside_alive};
use super::debugged_kmem;
use super::malloc::tick_own;
use super::named::{find_cache, known, with};
use super::naming::name_objects;
use super::process::{PROCESS, is_interrupted, process, with_modes};
use super::purge_thread::Trigger;
use super::relief::relieve;
use super::threads::{CACHES, here, own};
use super::trim::collect_named;
use crate::kmem::{
    self, CacheArgs, CacheHandle, FAST_FLAGS, Gfp, Kmem, KmemError, NamedCache, wrong_cache,
};
use crate::report;
use crate::slab::Object;
use crate::sys;
use crate::units::{NodeId, PAGE_SIZE};

/// Creates a cache; see `slub_kmem_cache_create_args` in slubmalloc.h. What is wrong with an argument is reported.
pub fn kmem_create(
    name: &[u8],
    size: usize,
    args: CacheArgs,
    flags: u32,
) -> Result<CacheHandle, KmemError> {
    let process = process().ok_or(KmemError::NoMemory)?;
    if is_interrupted() {
        return Err(KmemError::NoMemory);
    }
    let create = || {
        inside_alive(|| {
            let make = || Kmem::new(&process.heap);
            let kmem = process.kmem.get_or_try_make(make);
            let kmem = kmem.ok_or(KmemError::NoMemory)?;
            name_objects();
            let cache = kmem.create(name, size, args, flags, &process.modes)?;
            Ok(cache.handle())
        })
    };
    let (mut created, mut passes) = (create(), 0);
    while created == Err(KmemError::NoMemory) && relieve(PAGE_SIZE, &mut passes) {
        created = create();
    }
    created
}

/// Destroys a cache that nobody uses any more.
///
/// # Errors
///
/// [`KmemError::InUse`] if objects of it are in use, [`KmemError::Invalid`] if it was destroyed before, which are reported, and
/// for a mempool.
pub fn kmem_destroy(cache: CacheHandle) -> Result<(), KmemError> {
    let cache = find_cache(cache).ok_or(KmemError::Invalid)?;
    debugged_kmem::release(cache);
    let done = with(|kmem| kmem.destroy(alive(), cache, &CACHES));
    done.unwrap_or(Err(KmemError::Invalid))
}

/// Gives back what is not in use of a cache.
///
/// # Errors
///
/// [`KmemError::Invalid`] for what is no cache, which is reported.
pub fn kmem_shrink(cache: CacheHandle) -> Result<(), KmemError> {
    let cache = find_cache(cache).ok_or(KmemError::Invalid)?;
    shrink(cache);
    Ok(())
}

fn shrink(cache: &'static NamedCache) {
    debugged_kmem::release(cache);
    collect(cache);
    let _ = with(|kmem| kmem.shrink(alive(), cache));
}

/// Takes back what all threads have at hand of a cache; returns whether there was anything.
pub(super) fn collect(cache: &'static NamedCache) -> bool {
    let collect = |kmem| collect_named(PROCESS.get()?, kmem, cache).then_some(());
    with(collect).flatten().is_some()
}

/// Objects of a cache that the program holds; `None` for what is no cache, which is reported.
pub fn kmem_used(cache: CacheHandle) -> Option<usize> {
    let cache = find_cache(cache)?;
    debugged_kmem::release(cache);
    Some(with(|kmem| kmem.used(cache, &CACHES)).unwrap_or(0))
}

/// Bytes of an object of a cache, as they were asked for; `None` for what is no cache, which is reported.
pub fn kmem_size(cache: CacheHandle) -> Option<usize> {
    find_cache(cache).map(NamedCache::size)
}

/// What the address of every object of a cache is a multiple of; `None` as above.
pub fn kmem_alignment(cache: CacheHandle) -> Option<usize> {
    find_cache(cache).map(NamedCache::alignment)
}

/// The name of a cache, a string of C; `None` as above.
pub fn kmem_name(cache: CacheHandle) -> Option<*const u8> {
    find_cache(cache).map(NamedCache::name)
}

/// Has at most `objects` objects of a cache out of its slabs from now on; `false` for one that others may share.
pub fn kmem_set_limit(cache: CacheHandle, objects: usize) -> bool {
    let set = |it: &'static NamedCache| {
        let is_set = it.set_limit(objects);
        if is_set && it.is_at_limit() {
            // Else threads would hand out what they have beyond it.
            shrink(it);
        }
        is_set
    };
    find_cache(cache).is_some_and(set)
}

/// Begins a grace period and returns its number, 0 where there is no cache; see `slub_rcu_begin` in slubmalloc.h.
pub fn rcu_begin() -> u64 {
    with(Kmem::begin_grace).unwrap_or(0)
}

/// Ends the grace period with this number, and all before; `false` if there is none.
pub fn rcu_end(number: u64) -> bool {
    number == 0 || with(|kmem| kmem.end_grace(alive(), number)).unwrap_or(false)
}

/// An allocation whose fast path gave up: the cache, as the fast path left it, and flags.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Missed(usize);

/// The fast path of an allocation: the thread has an object of the cache at hand, and no flag needs more. Where it gives up,
/// what [`missed_cache`] finds the cache with.
#[inline(always)]
pub fn kmem_alloc_fast(cache: CacheHandle, flags: u32) -> Result<NonNull<u8>, Missed> {
    if flags & !FAST_FLAGS != 0 {
        return Err(Missed(cache.addr()));
    }
    here().pop_named(cache.addr()).map_err(Missed)
}

/// The cache of an allocation whose fast path gave up. A signal handler may have given the thread its bins meanwhile. Where the thread
/// has none, what is left is the handle itself, also if it is null or as small as a place.
pub fn missed_cache(missed: Missed) -> CacheHandle {
    let whole = CacheHandle(missed.0);
    match known().is_some_and(|kmem| kmem.is_handle(whole)) {
        true => whole,
        false => CacheHandle(here().handle_at(missed.0)),
    }
}

/// What an allocation does where [`kmem_alloc_fast`] gives up. `node` is -1 for the thread's own.
#[inline(never)]
pub fn kmem_alloc_slow(
    cache: CacheHandle,
    flags: u32,
    node: i32,
) -> Result<NonNull<u8>, KmemError> {
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    if report::is_ending() || is_interrupted() {
        return Err(KmemError::NoMemory);
    }
    let cache = find_cache(cache).ok_or(KmemError::Invalid)?;
    if gfp.zeroes() && cache.constructs() || node < -1 {
        return Err(KmemError::Invalid);
    }
    let object = take(cache, gfp, node)?;
    let is_cleared = with_modes().is_some_and(|process| process.modes.clearing().on_alloc);
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
    cache: CacheHandle,
    flags: u32,
    places: &mut [*mut u8],
) -> Result<(), KmemError> {
    let mut taken = 0;
    let mut failed = Gfp::new(flags).map_or(Err(KmemError::Invalid), |_| Ok(()));
    if places.is_empty() {
        find_cache(cache).ok_or(KmemError::Invalid)?;
    }
    for place in places.iter_mut() {
        let object = match kmem_alloc_fast(cache, flags) {
            Ok(object) if failed.is_ok() => object,
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
pub fn kmem_free_fast(cache: CacheHandle, object: *mut u8) -> bool {
    here().push_named(cache.addr(), object)
}

/// What a free does where [`kmem_free_fast`] gives up; null is ignored.
#[inline(never)]
pub fn kmem_free_slow(cache: CacheHandle, object: *mut u8) {
    let Some(object) = NonNull::new(object) else {
        return;
    };
    if report::is_ending() {
        return;
    }
    if is_interrupted() {
        return own().map_or((), |own| own.defer(object));
    }
    let Some(cache) = find_cache(cache) else {
        return;
    };
    let is_given = with(|kmem| match with_modes() {
        Some(process) => debugged_kmem::give(process, kmem, Some(cache), object),
        None => kmem.give(alive(), Some(cache), object),
    });
    if is_given != Some(true) {
        wrong_cache(object.as_ptr().addr(), None, cache, || ());
    }
    tick_own(Trigger::Free);
}

/// Frees objects of a cache.
pub fn kmem_free_bulk(cache: CacheHandle, objects: &[*mut u8]) {
    for object in objects {
        if !kmem_free_fast(cache, *object) {
            kmem_free_slow(cache, *object);
        }
    }
}

/// Takes something of `bytes` by `take` although the process's limit forbids it.
#[cold]
#[inline(always)]
pub(super) fn beyond_limit<T>(bytes: usize, take: impl Fn() -> Option<T>) -> Option<T> {
    PROCESS.get()?.heap.take_beyond_limit(bytes, take)
}

fn take(cache: &'static NamedCache, gfp: Gfp, node: i32) -> Result<Object, KmemError> {
    let attempt = || {
        inside_alive(|| {
            let kmem = known().ok_or(KmemError::NoMemory)?;
            if node < 0 {
                let guarded =
                    with_modes().and_then(|process| debugged_kmem::take(process, cache, gfp));
                return Ok(guarded.or_else(|| kmem.take(alive(), cache, gfp)));
            }
            let node = u8::try_from(node).map_err(|_| KmemError::Invalid)?;
            let taken = kmem.take_on(alive(), cache, NodeId(node), gfp);
            taken.ok_or(KmemError::Invalid)
        })
    };
    let mut taken = attempt()?;
    if taken.is_none() && with_modes().is_some() {
        // What the limit counts may be in quarantine.
        debugged_kmem::release(cache);
        taken = attempt()?;
    }
    if taken.is_none() && gfp.may_collect() && cache.is_at_limit() && collect(cache) {
        taken = attempt()?;
    }
    if gfp.may_wait() {
        tick_own(Trigger::Malloc);
        let mut passes = 0;
        while taken.is_none() && !cache.is_at_limit() && relieve(cache.slot(), &mut passes) {
            taken = attempt()?;
        }
    }
    match taken {
        Some(object) => Ok(object),
        None if gfp.never_fails() => {
            let again = || attempt().ok().flatten();
            let taken = beyond_limit(cache.slot(), again);
            taken.map_or_else(|| kmem::out_of_memory(cache.title()), Ok)
        }
        None => Err(KmemError::NoMemory),
    }
}
