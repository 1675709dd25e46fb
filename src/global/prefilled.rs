//! Prefilled sheaves: objects that a thread takes before it must not fail, as in Linux 6.18.
//!
//! # Invariant
//!
//! Objects in such a sheaf are in use, for the cache and its limit. Only its owner uses the sheaf, by a handle that is looked up
//! before anything is read.

use core::ptr::NonNull;

use super::kmem::{beyond_limit, kmem_alloc_bulk, kmem_free_bulk};
use super::named::{find, find_cache, give_memory, known, take_memory, with};
use crate::kmem::{
    CacheHandle, FoundSheaf, Gfp, KmemError, NamedCache, SheafHandle, no_sheaf, out_of_memory,
    unknown_sheaf, wrong_sheaf,
};
use crate::sys;

/// Objects of a cache for their owner.
#[derive(Debug)]
#[repr(C)]
struct PrefilledSheaf {
    cache: CacheHandle,
    capacity: usize,
    count: usize,
}

/// The most objects of one.
const MOST: usize = 65_535;

const fn bytes_for(capacity: usize) -> usize {
    size_of::<PrefilledSheaf>() + capacity * size_of::<*mut u8>()
}

/// A sheaf with `count` objects of a cache, 1 to 65,535.
///
/// # Errors
///
/// As for an object; [`KmemError::Invalid`] also for another count, [`KmemError::NoMemory`] also if there are 262,144 sheaves.
pub fn prefill_sheaf(
    cache: CacheHandle,
    flags: u32,
    count: usize,
) -> Result<SheafHandle, KmemError> {
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    let (handle, sheaf) = new(cache, gfp, count)?;
    // SAFETY: made above, and nobody else's.
    let filled = fill(unsafe { &mut *sheaf.as_ptr() }, flags, count);
    filled.inspect_err(|_| end(handle))?;
    Ok(handle)
}

/// Takes an object from a sheaf; `None` if it is empty.
///
/// # Errors
///
/// [`KmemError::Invalid`] for flags that are refused, and for what is no sheaf of this cache, which is reported.
///
/// # Safety
///
/// No other thread uses the sheaf meanwhile.
pub unsafe fn alloc_from_sheaf(
    cache: CacheHandle,
    flags: u32,
    sheaf: SheafHandle,
) -> Result<Option<NonNull<u8>>, KmemError> {
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    let found = of_cache(cache, sheaf, " was used for ").ok_or(KmemError::Invalid)?;
    let cleared = match gfp.zeroes() {
        true => bytes_to_clear(cache)?,
        false => 0,
    };
    // SAFETY: there is such a sheaf, and the caller's promise.
    let sheaf = unsafe { &mut *found.as_ptr() };
    let Some(last) = sheaf.count.checked_sub(1) else {
        return Ok(None);
    };
    let object = sheaf.slots().get(last).copied().and_then(NonNull::new);
    sheaf.count = last;
    if let Some(object) = object.filter(|_| cleared > 0) {
        // SAFETY: the object is the caller's from now on, and that long.
        unsafe { sys::clear(object, cleared) };
    }
    Ok(object)
}

/// Has a sheaf hold at least `count` objects; it may be another one then.
///
/// # Errors
///
/// As for [`prefill_sheaf`] and [`alloc_from_sheaf`]; the sheaf is as it was.
///
/// # Safety
///
/// As for [`alloc_from_sheaf`].
pub unsafe fn refill_sheaf(
    cache: CacheHandle,
    flags: u32,
    sheaf: SheafHandle,
    count: usize,
) -> Result<SheafHandle, KmemError> {
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    let found = of_cache(cache, sheaf, " was used for ").ok_or(KmemError::Invalid)?;
    // SAFETY: there is such a sheaf, and the caller's promise.
    let old = unsafe { &mut *found.as_ptr() };
    if count <= old.capacity {
        fill(old, flags, count)?;
        return Ok(sheaf);
    }
    let (handle, larger) = new(cache, gfp, count)?;
    // SAFETY: made above, and nobody else's.
    let new = unsafe { &mut *larger.as_ptr() };
    let kept = old.count;
    let places = new.slots().iter_mut();
    places.zip(old.slots()).for_each(|(new, old)| *new = *old);
    new.count = kept;
    fill(new, flags, count).inspect_err(|_| end(handle))?;
    end(sheaf);
    Ok(handle)
}

/// Frees a sheaf of a cache with what is in it. What is no sheaf of this cache is reported, and stays.
///
/// # Safety
///
/// As for [`alloc_from_sheaf`].
pub unsafe fn return_sheaf(cache: CacheHandle, sheaf: SheafHandle) {
    let Some(found) = of_cache(cache, sheaf, " was returned to ") else {
        return;
    };
    // SAFETY: there is such a sheaf, and the caller's promise.
    let old = unsafe { &mut *found.as_ptr() };
    let count = old.count;
    kmem_free_bulk(cache, old.slots().get(..count).unwrap_or_default());
    end(sheaf);
}

/// Objects in a sheaf; `None` for what is none, which is reported.
///
/// # Safety
///
/// As for [`alloc_from_sheaf`].
pub unsafe fn sheaf_size(sheaf: SheafHandle) -> Option<usize> {
    let found = find_sheaf(sheaf)?;
    // SAFETY: there is such a sheaf, and the caller's promise.
    Some(unsafe { found.as_ref() }.count)
}

impl PrefilledSheaf {
    fn slots(&mut self) -> &mut [*mut u8] {
        let capacity = self.capacity;
        let first = core::ptr::from_mut(self).wrapping_add(1).cast::<*mut u8>();
        // SAFETY: after the sheaf lie as many slots, which were zeroes at first.
        unsafe { core::slice::from_raw_parts_mut(first, capacity) }
    }
}

/// The sheaf with a handle; `None` if there is none, which is reported.
fn find_sheaf(handle: SheafHandle) -> Option<NonNull<PrefilledSheaf>> {
    match known().map(|kmem| kmem.find_sheaf(handle)) {
        Some(FoundSheaf::Here(memory)) => return Some(memory.cast()),
        Some(FoundSheaf::Returned) => no_sheaf(handle),
        Some(FoundSheaf::Unknown) | None => unknown_sheaf(handle),
    }
    None
}

/// The sheaf of a cache with a handle; `None` if that is none of this cache, which is reported with `what` was done.
#[inline]
fn of_cache(
    cache: CacheHandle,
    handle: SheafHandle,
    what: &str,
) -> Option<NonNull<PrefilledSheaf>> {
    if let Some(FoundSheaf::Here(memory)) = known().map(|kmem| kmem.find_sheaf(handle)) {
        let found = memory.cast::<PrefilledSheaf>();
        // SAFETY: there is such a sheaf; its cache never changes.
        if unsafe { (*found.as_ptr()).cache } == cache {
            // As long as the sheaf is out there is such a cache.
            return Some(found);
        }
    }
    report_other(cache, handle, what);
    None
}

/// Reports why [`of_cache`] finds nothing.
#[cold]
#[inline(never)]
fn report_other(cache: CacheHandle, handle: SheafHandle, what: &str) {
    let Some(known) = find_cache(cache) else {
        return;
    };
    let Some(found) = find_sheaf(handle) else {
        return;
    };
    // SAFETY: there is such a sheaf; its cache never changes.
    let of = unsafe { (*found.as_ptr()).cache };
    find(of).inspect(|of| wrong_sheaf(of, known, what));
}

/// Bytes of a cache's object that is to read as zero.
fn bytes_to_clear(cache: CacheHandle) -> Result<usize, KmemError> {
    let known = find_cache(cache).filter(|known| !known.constructs());
    known.map(NamedCache::size).ok_or(KmemError::Invalid)
}

fn new(
    cache: CacheHandle,
    gfp: Gfp,
    capacity: usize,
) -> Result<(SheafHandle, NonNull<PrefilledSheaf>), KmemError> {
    if !(1..=MOST).contains(&capacity) {
        return Err(KmemError::Invalid);
    }
    let known = find_cache(cache).ok_or(KmemError::Invalid)?;
    let bytes = bytes_for(capacity);
    let take = || {
        let memory = take_memory(bytes)?;
        let handle = with(|kmem| kmem.add_sheaf(memory)).flatten();
        if handle.is_none() {
            give_memory(memory, bytes);
        }
        Some((handle?, memory))
    };
    let (handle, memory) = match take() {
        None if gfp.never_fails() => {
            beyond_limit(bytes, take).unwrap_or_else(|| out_of_memory(known.title()))
        }
        taken => taken.ok_or(KmemError::NoMemory)?,
    };
    let sheaf = memory.cast::<PrefilledSheaf>();
    // SAFETY: the memory is as long as a sheaf with its slots, and aligned.
    unsafe {
        sheaf.write(PrefilledSheaf {
            cache,
            capacity,
            count: 0,
        });
    }
    known.take_sheaf();
    Ok((handle, sheaf))
}

/// Gives a sheaf's memory back, which nobody uses any more, nor any object in it.
fn end(handle: SheafHandle) {
    let Some(memory) = with(|kmem| kmem.remove_sheaf(handle)).flatten() else {
        return;
    };
    // SAFETY: it was a sheaf's until now, and is nobody else's yet.
    let PrefilledSheaf {
        cache, capacity, ..
    } = unsafe { memory.cast::<PrefilledSheaf>().read() };
    if let Some(known) = find(cache) {
        known.give_sheaf();
    }
    give_memory(memory, bytes_for(capacity));
}

/// Adds objects until there are `count`; all or none.
fn fill(sheaf: &mut PrefilledSheaf, flags: u32, count: usize) -> Result<(), KmemError> {
    let (cache, start) = (sheaf.cache, sheaf.count);
    let places = sheaf.slots().get_mut(start..count).unwrap_or_default();
    kmem_alloc_bulk(cache, flags, places)?;
    sheaf.count = count.max(start);
    Ok(())
}
