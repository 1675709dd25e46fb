//! A cache whose objects are values of one type while they are in use.

use core::fmt::{self, Debug, Formatter};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

use super::builder::CacheBuilder;
use super::error::{AllocError, CreateError};
use super::raw_cache::{RawCache, Slot};

/// A cache of values of one type, up to 48 KiB each, in slabs of its own with its own accounting: the kernel's `kmem_cache`.
///
/// Each thread has a few free objects at hand, so making and dropping a value takes no lock. Any thread may do either.
///
/// ```
/// use slubmalloc::Cache;
///
/// let sessions = Cache::<[u64; 8]>::new("session")?;
/// let session = sessions.make([7; 8])?;
/// assert_eq!((session[3], sessions.used()), (7, 1));
/// # drop(session);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A box that is forgotten keeps its object in use: when the cache is dropped a line on standard error says so, and its memory
/// stays. No box outlives its cache:
///
/// ```compile_fail,E0505
/// let cache = slubmalloc::Cache::new("number").unwrap();
/// let number = cache.make(1).unwrap();
/// drop(cache);
/// assert_eq!(*number, 1);
/// ```
#[derive(Debug)]
pub struct Cache<T> {
    raw: RawCache,
    // It makes values, but has none.
    makes: PhantomData<fn() -> T>,
}

impl CacheBuilder<'_> {
    /// The cache.
    ///
    /// # Errors
    ///
    /// [`CreateError::Invalid`], with a line on standard error that says why, for a name or a number out of its range and for a type of more
    /// than 48 KiB.
    pub fn build<T>(self) -> Result<Cache<T>, CreateError> {
        Ok(Cache {
            raw: RawCache::new::<T>(&self, None, None)?,
            makes: PhantomData,
        })
    }
}

impl<T> Cache<T> {
    /// A cache of which only the name is said.
    ///
    /// # Errors
    ///
    /// As for [`CacheBuilder::build`].
    pub fn new(name: &str) -> Result<Self, CreateError> {
        CacheBuilder::new(name).build()
    }

    /// Moves a value into the cache. Without memory it is dropped.
    ///
    /// # Errors
    ///
    /// If there is no memory, or the limit is reached.
    #[inline]
    pub fn make(&self, value: T) -> Result<CacheBox<'_, T>, AllocError> {
        self.make_with(|| value)
    }

    /// The same with a value that is made once there is memory for it.
    ///
    /// # Errors
    ///
    /// As for [`Self::make`]; nothing is made then.
    #[inline]
    pub fn make_with(&self, make: impl FnOnce() -> T) -> Result<CacheBox<'_, T>, AllocError> {
        let slot = self.raw.take()?;
        let value = make();
        // SAFETY: as long and aligned as a `T`, and the slot's own.
        unsafe { slot.place().write(value) };
        Ok(CacheBox {
            slot,
            value: PhantomData,
        })
    }

    /// Values that exist, forgotten ones included; while other threads use the cache, a moment's number. Takes time for each thread.
    pub fn used(&self) -> usize {
        self.raw.used()
    }

    /// Limits the objects that are out of the slabs from now on; `None` is no limit. What is there already stays.
    pub fn set_limit(&self, objects: Option<usize>) {
        self.raw.set_limit(objects);
    }

    /// Gives slabs without values back to the rest of the heap at once.
    pub fn shrink(&self) {
        self.raw.shrink();
    }
}

/// Owns a value that lies in a [`Cache`]: drops it and frees its memory, from any thread.
///
/// It cannot be pinned: what is pinned must be dropped before its memory goes, and the cache does not wait for that.
pub struct CacheBox<'cache, T> {
    // Freed after the value was dropped, also if that panics.
    slot: Slot<'cache>,
    value: PhantomData<T>,
}

impl<T> CacheBox<'_, T> {
    /// The value; its memory is freed.
    pub fn into_inner(this: Self) -> T {
        let this = ManuallyDrop::new(this);
        // SAFETY: the box is not used afterwards, and not dropped.
        let slot = unsafe { core::ptr::read(&this.slot) };
        // SAFETY: a box has a value, which nobody drops but its owner.
        unsafe { slot.place().read() }
    }
}

impl<T> Drop for CacheBox<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a box has a value until it is dropped, and nobody else has it.
        unsafe { self.slot.place::<T>().drop_in_place() };
    }
}

impl<T> Deref for CacheBox<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a box has a value, which is borrowed as the box is.
        unsafe { self.slot.place().as_ref() }
    }
}

impl<T> DerefMut for CacheBox<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { self.slot.place().as_mut() }
    }
}

impl<T: Debug> Debug for CacheBox<'_, T> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        (**self).fmt(to)
    }
}

// SAFETY: a box owns its value, and any thread may free an object.
unsafe impl<T: Send> Send for CacheBox<'_, T> {}
// SAFETY: a reference to a box gives references to the value only.
unsafe impl<T: Sync> Sync for CacheBox<'_, T> {}
