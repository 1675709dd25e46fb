//! Prefilled sheaves: objects that a thread takes before it must not fail, as in Linux 6.18.
//!
//! # Invariant
//!
//! Objects in such a sheaf are in use, for the cache and its limit. Only its owner uses the sheaf.

use core::ptr::NonNull;

use super::kmem::{beyond_limit, kmem_alloc_bulk, kmem_free_bulk};
use super::named::{find, give_memory, take_memory};
use crate::kmem::{CacheHandle, Gfp, KmemError, out_of_memory, wrong_sheaf};
use crate::sys;

/// Objects of a cache for their owner. Opaque to the program.
#[derive(Debug)]
#[repr(C)]
pub struct PrefilledSheaf {
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
/// As for an object; [`KmemError::Invalid`] also for another count.
pub fn prefill_sheaf(
    cache: CacheHandle,
    flags: u32,
    count: usize,
) -> Result<NonNull<PrefilledSheaf>, KmemError> {
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    let sheaf = new(cache, gfp, count)?;
    // SAFETY: made above, and nobody else's.
    let filled = fill(unsafe { &mut *sheaf.as_ptr() }, flags, count);
    match filled {
        Ok(()) => Ok(sheaf),
        Err(why) => {
            end(sheaf);
            Err(why)
        }
    }
}

/// Takes an object from a sheaf; `None` if it is empty.
///
/// # Errors
///
/// [`KmemError::Invalid`] for flags that are refused and for a sheaf of another cache.
pub fn alloc_from_sheaf(
    cache: CacheHandle,
    flags: u32,
    sheaf: &mut PrefilledSheaf,
) -> Result<Option<NonNull<u8>>, KmemError> {
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    let known = find(cache).ok_or(KmemError::Invalid)?;
    let zeroes = gfp.zeroes();
    if sheaf.cache != cache || zeroes && known.constructs() {
        return Err(KmemError::Invalid);
    }
    let Some(last) = sheaf.count.checked_sub(1) else {
        return Ok(None);
    };
    let object = sheaf.slots().get(last).copied().and_then(NonNull::new);
    sheaf.count = last;
    if let Some(object) = object.filter(|_| zeroes) {
        // SAFETY: the object is the caller's from now on, and that long.
        unsafe { sys::clear(object, known.size()) };
    }
    Ok(object)
}

/// Has a sheaf hold at least `count` objects; it may be another one then.
///
/// # Errors
///
/// As for [`prefill_sheaf`]; the sheaf is as it was.
///
/// # Safety
///
/// The sheaf is the caller's, and gone where the answer is another one.
pub unsafe fn refill_sheaf(
    cache: CacheHandle,
    flags: u32,
    sheaf: NonNull<PrefilledSheaf>,
    count: usize,
) -> Result<NonNull<PrefilledSheaf>, KmemError> {
    // SAFETY: the caller's promise.
    let old = unsafe { &mut *sheaf.as_ptr() };
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    if old.cache != cache {
        return Err(KmemError::Invalid);
    }
    if count <= old.capacity {
        fill(old, flags, count)?;
        return Ok(sheaf);
    }
    let larger = new(cache, gfp, count)?;
    // SAFETY: made above, and nobody else's.
    let new = unsafe { &mut *larger.as_ptr() };
    let kept = old.count;
    let places = new.slots().iter_mut();
    places.zip(old.slots()).for_each(|(new, old)| *new = *old);
    new.count = kept;
    if let Err(why) = fill(new, flags, count) {
        end(larger);
        return Err(why);
    }
    end(sheaf);
    Ok(larger)
}

/// Frees a sheaf of a cache with what is in it; one of another cache stays, which is reported.
///
/// # Safety
///
/// The sheaf is the caller's, and gone afterwards.
pub unsafe fn return_sheaf(cache: CacheHandle, sheaf: NonNull<PrefilledSheaf>) {
    // SAFETY: the caller's promise.
    let old = unsafe { &mut *sheaf.as_ptr() };
    let (Some(of), Some(to)) = (find(old.cache), find(cache)) else {
        return;
    };
    if old.cache != cache {
        return wrong_sheaf(of, to);
    }
    let count = old.count;
    kmem_free_bulk(cache, old.slots().get(..count).unwrap_or_default());
    end(sheaf);
}

/// Objects in a sheaf.
pub fn sheaf_size(sheaf: &PrefilledSheaf) -> usize {
    sheaf.count
}

impl PrefilledSheaf {
    fn slots(&mut self) -> &mut [*mut u8] {
        let capacity = self.capacity;
        let first = core::ptr::from_mut(self).wrapping_add(1).cast::<*mut u8>();
        // SAFETY: after the sheaf lie as many slots, which were zeroes at first.
        unsafe { core::slice::from_raw_parts_mut(first, capacity) }
    }
}

fn new(
    cache: CacheHandle,
    gfp: Gfp,
    capacity: usize,
) -> Result<NonNull<PrefilledSheaf>, KmemError> {
    if !(1..=MOST).contains(&capacity) {
        return Err(KmemError::Invalid);
    }
    let known = find(cache).ok_or(KmemError::Invalid)?;
    let bytes = bytes_for(capacity);
    let memory = match take_memory(bytes) {
        None if gfp.never_fails() => {
            let taken = beyond_limit(bytes, || take_memory(bytes));
            taken.unwrap_or_else(|| out_of_memory(known.title()))
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
    Ok(sheaf)
}

/// Gives a sheaf's memory back, which nobody uses any more, nor any object in it.
fn end(sheaf: NonNull<PrefilledSheaf>) {
    // SAFETY: the caller's promise.
    let PrefilledSheaf {
        cache, capacity, ..
    } = unsafe { sheaf.read() };
    if let Some(known) = find(cache) {
        known.give_sheaf();
    }
    give_memory(sheaf.cast(), bytes_for(capacity));
}

/// Adds objects until there are `count`; all or none.
fn fill(sheaf: &mut PrefilledSheaf, flags: u32, count: usize) -> Result<(), KmemError> {
    let (cache, start) = (sheaf.cache, sheaf.count);
    let places = sheaf.slots().get_mut(start..count).unwrap_or_default();
    kmem_alloc_bulk(cache, flags, places)?;
    sheaf.count = count.max(start);
    Ok(())
}
