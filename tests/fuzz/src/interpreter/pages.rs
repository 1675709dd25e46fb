//! Memory of the model's own, straight from the kernel.

use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::{NonNull, null_mut};
use core::slice;

/// An array in a mapping of its own, zeroed and resident only where it was touched.
pub(crate) struct Pages<T> {
    start: NonNull<T>,
    count: usize,
    own: PhantomData<T>,
}

/// Types of which zeroes are a value, and which need no drop.
///
/// # Safety
///
/// Both must be so.
pub(crate) unsafe trait Zeroes {}

// SAFETY: owned memory, as in a box.
unsafe impl<T: Send> Send for Pages<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Pages<T> {}

impl<T: Zeroes> Pages<T> {
    /// Room for `count` elements; `None` where the kernel refuses.
    pub(crate) fn new(count: usize) -> Option<Self> {
        let bytes = count.checked_mul(size_of::<T>())?;
        // SAFETY: a new mapping, at no address of ours.
        let start = unsafe {
            libc::mmap(
                null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return None;
        }
        Some(Self {
            start: NonNull::new(start.cast())?,
            count,
            own: PhantomData,
        })
    }
}

impl<T> Drop for Pages<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, which nobody uses any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.count * size_of::<T>()) };
    }
}

impl<T> Deref for Pages<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `count` elements are mapped, and zeroes are a value of theirs.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl<T> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.count) }
    }
}
