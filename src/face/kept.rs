//! A cache whose objects stay values of one type while nobody uses them.
//!
//! # Invariant
//!
//! An object says whether it has a value. The library's constructor says that a new one has none, and its destructor drops the value before the
//! memory goes. The value is made when the object is first handed out, by the caller's thread and in the caller's stack: so it may
//! panic and be a closure, which a function of the library's must and can not.

use core::fmt::{self, Debug, Formatter};
use core::marker::PhantomData;
use core::mem::{MaybeUninit, needs_drop, offset_of};
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use super::builder::CacheBuilder;
use super::error::{AllocError, CreateError};
use super::raw_cache::{Hook, RawCache, Slot};

/// A cache of values that are made once and used again and again: what takes time to make, such as a buffer with its mapping.
///
/// [`take`](Self::take) hands a value out as its last user left it, or makes a new one if no other is free. When what it gave is dropped
/// the value goes back, whole. Values are dropped when their memory goes: with the cache, by [`shrink`](Self::shrink), and when a slab has
/// become empty, in the thread that does that. A destructor that panics there ends the process.
///
/// ```
/// use slubmalloc::KeptCache;
///
/// let buffers = KeptCache::new("buffer", || Vec::<u8>::with_capacity(4096))?;
/// let mut buffer = buffers.take()?;
/// buffer.extend_from_slice(b"request");
/// buffer.clear();
/// drop(buffer);
/// assert_eq!(buffers.take()?.capacity(), 4096);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A value may be made in one thread, be used in another and be dropped in a third, at any time, so it must be `Send` and own what it has:
///
/// ```compile_fail,E0277
/// let cache = slubmalloc::KeptCache::new("counter", || std::rc::Rc::new(1)).unwrap();
/// ```
///
/// ```compile_fail,E0597
/// let text = String::from("borrowed");
/// let cache = slubmalloc::KeptCache::new("text", || &*text).unwrap();
/// ```
#[derive(Debug)]
pub struct KeptCache<T: Send + 'static, F = fn() -> T> {
    raw: RawCache,
    make: F,
    has: PhantomData<fn() -> T>,
}

/// An object in the slabs.
#[repr(C)]
struct Object<T> {
    value: MaybeUninit<T>,
    has_value: bool,
}

impl CacheBuilder<'_> {
    /// The cache of values that `make` makes.
    ///
    /// # Errors
    ///
    /// As for [`CacheBuilder::build`]; each object has a byte more than its value, rounded up.
    pub fn build_kept<T, F>(self, make: F) -> Result<KeptCache<T, F>, CreateError>
    where
        T: Send + 'static,
        F: Fn() -> T,
    {
        let end: Hook = end::<T>;
        // Without a destructor memory goes back by itself.
        let end = needs_drop::<T>().then_some(end);
        Ok(KeptCache {
            raw: RawCache::new::<Object<T>>(&self, Some(begin::<T>), end)?,
            make,
            has: PhantomData,
        })
    }
}

impl<T: Send + 'static, F: Fn() -> T> KeptCache<T, F> {
    /// A cache of which only the name is said, of values that `make` makes.
    ///
    /// # Errors
    ///
    /// As for [`CacheBuilder::build_kept`].
    pub fn new(name: &str, make: F) -> Result<Self, CreateError> {
        CacheBuilder::new(name).build_kept(make)
    }

    /// A value.
    ///
    /// # Errors
    ///
    /// If there is no memory, or the limit is reached.
    #[inline]
    pub fn take(&self) -> Result<Kept<'_, T>, AllocError> {
        let kept: Kept<'_, T> = Kept {
            slot: self.raw.take()?,
            value: PhantomData,
        };
        if !kept.has_value() {
            self.make_in(kept.object());
        }
        Ok(kept)
    }

    /// Values in use, forgotten ones included; see [`Cache::used`](crate::Cache::used).
    pub fn used(&self) -> usize {
        self.raw.used()
    }

    /// Limits the objects that are out of the slabs from now on; `None` is no limit. What is there already stays.
    pub fn set_limit(&self, objects: Option<usize>) {
        self.raw.set_limit(objects);
    }

    /// Drops values that nobody uses, where no other of their slab is in use, and gives their memory back to the rest of the heap at once.
    pub fn shrink(&self) {
        self.raw.shrink();
    }

    #[cold]
    fn make_in(&self, object: NonNull<Object<T>>) {
        let value = (self.make)();
        let whole = Object {
            value: MaybeUninit::new(value),
            has_value: true,
        };
        // SAFETY: an object of the caller's, which has no value.
        unsafe { object.write(whole) };
    }
}

/// Has a value of a [`KeptCache`] and gives it back, whole, when it is dropped.
///
/// It cannot be pinned: the next user of the value would move it.
pub struct Kept<'cache, T: Send + 'static> {
    slot: Slot<'cache>,
    value: PhantomData<T>,
}

impl<T: Send + 'static> Kept<'_, T> {
    /// Drops the value instead of keeping it; the object's next user gets a new one.
    pub fn discard(this: Self) {
        // First, so that it is dropped once, also if that panics.
        // SAFETY: the object is this caller's.
        unsafe { mark_of(this.object()).write(false) };
        // SAFETY: it had a value, and nobody knows of that any more.
        unsafe { value_of(this.object()).drop_in_place() };
    }

    fn object(&self) -> NonNull<Object<T>> {
        self.slot.place()
    }

    #[inline]
    fn has_value(&self) -> bool {
        // SAFETY: the object is this caller's, and its constructor or its last user has written that.
        unsafe { mark_of(self.object()).read() }
    }
}

impl<T: Send + 'static> Deref for Kept<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: what is handed out has a value, which is borrowed as this is.
        unsafe { value_of(self.object()).as_ref() }
    }
}

impl<T: Send + 'static> DerefMut for Kept<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { value_of(self.object()).as_mut() }
    }
}

impl<T: Send + Debug + 'static> Debug for Kept<'_, T> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        (**self).fmt(to)
    }
}

// SAFETY: the value is only this owner's, any thread may have it (`T: Send`), and any thread may free an object.
unsafe impl<T: Send + 'static> Send for Kept<'_, T> {}
// SAFETY: a reference to this gives references to the value only.
unsafe impl<T: Send + Sync + 'static> Sync for Kept<'_, T> {}

/// Where an object has its value: at its beginning.
fn value_of<T>(object: NonNull<Object<T>>) -> NonNull<T> {
    object.cast()
}

/// Where it says whether it has one.
fn mark_of<T>(object: NonNull<Object<T>>) -> *mut bool {
    let place = object.cast::<bool>().as_ptr();
    place.wrapping_byte_add(offset_of!(Object<T>, has_value))
}

/// The constructor: an object has no value yet.
extern "C" fn begin<T>(object: *mut u8) {
    if let Some(object) = NonNull::new(object.cast::<Object<T>>()) {
        // SAFETY: the library calls it with memory for an object, which nobody else knows.
        unsafe { mark_of(object).write(false) };
    }
}

/// The destructor.
extern "C" fn end<T>(object: *mut u8) {
    if let Some(object) = NonNull::new(object.cast::<Object<T>>()) {
        // SAFETY: the library calls it with an object that it has called the constructor for, and nobody uses.
        let has_value = unsafe { mark_of(object).read() };
        if has_value {
            // SAFETY: as above; the memory goes next.
            unsafe { value_of(object).drop_in_place() };
        }
    }
}
