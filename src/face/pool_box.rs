//! A value in a pool with an owner.

use core::alloc::Layout;
use core::fmt::{self, Debug, Formatter};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use super::error::AllocError;
use super::pool::{Pool, Shared};

/// Owns a value that lies in a [`Pool`]: drops it and frees its memory, from any thread that the pool may be used by.
///
/// It cannot be pinned: memory of one that is forgotten goes with the pool, and the value is not dropped before.
pub struct PoolBox<'pool, T, M = Shared> {
    // Freed after the value was dropped, also if that panics.
    room: Room<'pool, T, M>,
    value: PhantomData<T>,
}

/// Owns memory of a pool that is as long as a `T`.
pub(super) struct Room<'pool, T, M> {
    place: NonNull<T>,
    pool: &'pool Pool<'pool, M>,
}

impl<T, M> Drop for Room<'_, T, M> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the pool gave it for this layout, and who had the room is gone.
        unsafe { self.pool.deallocate(self.place.cast(), Layout::new::<T>()) };
    }
}

impl<'pool, T, M> Room<'pool, T, M> {
    #[inline]
    pub(super) fn new(pool: &'pool Pool<'_, M>) -> Result<Self, AllocError> {
        let place = pool.allocate(Layout::new::<T>())?.cast();
        Ok(Self { place, pool })
    }

    /// Puts a value there.
    #[inline]
    pub(super) fn fill(&mut self, value: T) {
        // SAFETY: as long and aligned as a `T`, and the room's own.
        unsafe { self.place.write(value) };
    }

    /// Leaves the memory in the pool until that is reset or ends.
    #[inline]
    pub(super) fn leave(self) -> NonNull<T> {
        ManuallyDrop::new(self).place
    }
}

impl<M> Pool<'_, M> {
    /// Moves a value into the pool. Without memory it is dropped.
    ///
    /// # Errors
    ///
    /// If there is no memory, or a limit forbids it.
    #[inline]
    pub fn make<T>(&self, value: T) -> Result<PoolBox<'_, T, M>, AllocError> {
        self.make_with(|| value)
    }

    /// The same with a value that is made once there is memory for it.
    ///
    /// # Errors
    ///
    /// As for [`Self::make`]; nothing is made then.
    #[inline]
    pub fn make_with<T>(&self, make: impl FnOnce() -> T) -> Result<PoolBox<'_, T, M>, AllocError> {
        let mut room = Room::new(self)?;
        room.fill(make());
        Ok(PoolBox {
            room,
            value: PhantomData,
        })
    }
}

impl<T, M> PoolBox<'_, T, M> {
    /// The value; its memory is freed.
    pub fn into_inner(this: Self) -> T {
        let this = ManuallyDrop::new(this);
        // SAFETY: the box is not used afterwards, and not dropped.
        let room = unsafe { core::ptr::read(&this.room) };
        // SAFETY: a box has a value, which nobody drops but its owner.
        unsafe { room.place.read() }
    }
}

impl<T, M> Drop for PoolBox<'_, T, M> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a box has a value until it is dropped, and nobody else has it.
        unsafe { self.room.place.drop_in_place() };
    }
}

impl<T, M> Deref for PoolBox<'_, T, M> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a box has a value, which is borrowed as the box is.
        unsafe { self.room.place.as_ref() }
    }
}

impl<T, M> DerefMut for PoolBox<'_, T, M> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { self.room.place.as_mut() }
    }
}

impl<T: Debug, M> Debug for PoolBox<'_, T, M> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        (**self).fmt(to)
    }
}

// SAFETY: a box owns its value and has a reference to its pool, which other threads may use if it says so (`M: Sync`).
unsafe impl<T: Send, M: Sync> Send for PoolBox<'_, T, M> {}
// SAFETY: as above; a reference to a box gives references to the value.
unsafe impl<T: Sync, M: Sync> Sync for PoolBox<'_, T, M> {}
