//! A value in memory that came from a table: the only small-object handle workloads use.
//!
//! # Invariant
//!
//! An [`Owned`] is the sole owner of a live block holding an initialised `T`. It frees nothing by
//! itself; only [`Table::remove`] does, and it consumes the handle.

use core::ffi::c_void;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use crate::table::Table;

/// Sole ownership of a `T` in a block of at least `size_of::<T>()` bytes.
#[repr(transparent)]
#[derive(Debug)]
pub struct Owned<T> {
    at: NonNull<T>,
}

// SAFETY: an `Owned` is a unique owner, like a `Box`.
unsafe impl<T: Send> Send for Owned<T> {}

impl Table {
    /// `malloc(size)`, at least as large as a `T`, with `value` written to its first bytes.
    #[inline(always)]
    pub fn place<T>(&self, size: usize, value: T) -> Owned<T> {
        const { assert!(align_of::<T>() <= 16) };
        // SAFETY: `malloc` may be called with any size.
        let block = unsafe { (self.malloc)(size.max(size_of::<T>())) };
        Owned::write(block, value)
    }

    /// `memalign(alignment, size)` with `value` written to its first bytes.
    #[inline(always)]
    pub fn place_aligned<T>(&self, alignment: usize, size: usize, value: T) -> Owned<T> {
        assert!(alignment.is_power_of_two() && alignment >= align_of::<T>());
        // SAFETY: the alignment is a power of two, the only condition `memalign` has.
        let block = unsafe { (self.memalign)(alignment, size.max(size_of::<T>())) };
        Owned::write(block, value)
    }

    /// Moves the value out and frees its block without looking at it.
    #[inline(always)]
    pub fn discard<T: Copy>(&self, owned: Owned<T>) {
        // SAFETY: the handle owns a live block of this process's table, and is gone after this call.
        unsafe { (self.free)(owned.at.as_ptr().cast::<c_void>()) }
    }

    /// Moves the value out and frees its block.
    #[inline(always)]
    pub fn remove<T>(&self, owned: Owned<T>) -> T {
        // SAFETY: the handle owns an initialised value, and is gone after this call.
        let value = unsafe { owned.at.read() };
        // SAFETY: as above; the value has been moved out of the block.
        unsafe { (self.free)(owned.at.as_ptr().cast::<c_void>()) };
        value
    }
}

impl<T> Owned<T> {
    /// Where the block lies.
    #[inline(always)]
    pub fn address(&self) -> usize {
        self.at.addr().get()
    }

    /// Gives up the handle for the bare pointer, to be sent through an atomic cell.
    pub(crate) fn into_raw(self) -> *mut T {
        self.at.as_ptr()
    }

    /// The handle back from [`Owned::into_raw`]; `None` for null.
    ///
    /// # Safety
    ///
    /// A pointer that is not null came from `into_raw` and is used for no other handle.
    pub(crate) unsafe fn from_raw(pointer: *mut T) -> Option<Self> {
        NonNull::new(pointer).map(|at| Self { at })
    }

    #[inline(always)]
    fn write(block: *mut c_void, value: T) -> Self {
        let Some(at) = NonNull::new(block.cast::<T>()) else {
            out_of_memory()
        };
        // SAFETY: the block is new, large and aligned enough for a `T`; see the callers.
        unsafe { at.write(value) };
        Self { at }
    }
}

impl<T> Deref for Owned<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the invariant: a live, initialised value that nobody else owns.
        unsafe { self.at.as_ref() }
    }
}

impl<T> DerefMut for Owned<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the handle is borrowed exclusively.
        unsafe { self.at.as_mut() }
    }
}

/// Ends a run that cannot go on: its numbers would be those of another workload.
#[cold]
#[inline(never)]
pub(crate) fn out_of_memory() -> ! {
    panic!("the allocator under test returned NULL");
}

#[cfg(test)]
mod tests {
    use crate::table::system;

    #[test]
    fn what_was_placed_comes_back() {
        let table = system();
        let mut owned = table.place(100, 7u64);
        *owned += 1;
        assert_eq!(*owned, 8);
        assert_eq!(table.remove(owned), 8);
    }

    #[test]
    fn aligned_objects_are_aligned() {
        let table = system();
        let owned = table.place_aligned(4096, 8, 1u64);
        assert_eq!(owned.address() % 4096, 0);
        table.discard(owned);
    }
}
