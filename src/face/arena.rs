//! Values that stay in a pool until it is reset or ends.

use core::alloc::Layout;
use core::mem::needs_drop;
use core::ptr::NonNull;

use super::error::AllocError;
use super::pool::Pool;
use super::pool_box::Room;

impl<M> Pool<'_, M> {
    /// Moves a value into the pool, where it stays until the pool is reset or ends.
    ///
    /// It is never dropped, so a type that needs that does not compile; it goes into a [`PoolBox`](crate::PoolBox) by [`make`](Self::make), or
    /// into a [`ManuallyDrop`](core::mem::ManuallyDrop).
    ///
    /// ```compile_fail,E0080
    /// let pool = slubmalloc::Pool::new().unwrap();
    /// let text = pool.alloc(String::from("on the other heap")).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no memory, or a limit forbids it.
    #[inline]
    pub fn alloc<T>(&self, value: T) -> Result<&mut T, AllocError> {
        self.alloc_with(|| value)
    }

    /// The same with a value that is made once there is memory for it.
    ///
    /// # Errors
    ///
    /// As for [`Self::alloc`]; nothing is made then.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "each call has memory of its own")]
    pub fn alloc_with<T>(&self, make: impl FnOnce() -> T) -> Result<&mut T, AllocError> {
        const { assert_no_drop::<T>() };
        let mut room = Room::new(self)?;
        room.fill(make());
        let mut place = room.leave();
        // SAFETY: it has a value, and memory that nobody else knows and that stays as long as the pool is borrowed.
        Ok(unsafe { place.as_mut() })
    }

    /// A slice of values, made one after the other from their index; a type that needs dropping does not compile.
    ///
    /// # Errors
    ///
    /// As for [`Self::alloc`], and for what is longer than the address space.
    #[expect(clippy::mut_from_ref, reason = "each call has memory of its own")]
    pub fn alloc_slice<T>(
        &self,
        count: usize,
        mut make: impl FnMut(usize) -> T,
    ) -> Result<&mut [T], AllocError> {
        const { assert_no_drop::<T>() };
        let layout = Layout::array::<T>(count).map_err(|_| AllocError)?;
        let first = self.allocate(layout)?.cast::<T>();
        for index in 0..count {
            let value = make(index);
            // SAFETY: inside of the block, which is an array of `count`.
            let place = unsafe { first.add(index) };
            // SAFETY: as above, and nobody else knows it.
            unsafe { place.write(value) };
        }
        let mut slice = NonNull::slice_from_raw_parts(first, count);
        // SAFETY: each of them has a value; the rest as above.
        Ok(unsafe { slice.as_mut() })
    }

    /// A copy of a slice.
    ///
    /// # Errors
    ///
    /// As for [`Self::alloc_slice`].
    #[expect(clippy::mut_from_ref, reason = "each call has memory of its own")]
    pub fn alloc_copy<T: Copy>(&self, values: &[T]) -> Result<&mut [T], AllocError> {
        let first = self.allocate(Layout::for_value(values))?.cast::<T>();
        // SAFETY: a block that is as long, and apart from what there was.
        unsafe { first.copy_from_nonoverlapping(NonNull::from_ref(values).cast(), values.len()) };
        let mut slice = NonNull::slice_from_raw_parts(first, values.len());
        // SAFETY: each of them has a value, in memory that nobody else knows and that stays as long as the pool is borrowed.
        Ok(unsafe { slice.as_mut() })
    }

    /// A copy of a string.
    ///
    /// # Errors
    ///
    /// As for [`Self::alloc_slice`].
    #[expect(clippy::mut_from_ref, reason = "each call has memory of its own")]
    pub fn alloc_str(&self, text: &str) -> Result<&mut str, AllocError> {
        let bytes = self.alloc_copy(text.as_bytes())?;
        // SAFETY: the bytes of a string.
        Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes) })
    }
}

/// Does not compile for a type that needs dropping.
const fn assert_no_drop<T>() {
    assert!(
        !needs_drop::<T>(),
        "a value in an arena is never dropped: use `make`, or wrap it in `ManuallyDrop`"
    );
}
