//! Arrays of the benchmark's own, mapped by hand so that they cost the allocator under test nothing.
//!
//! # Invariant
//!
//! All `len` elements are initialised, and resident, before the array is handed out.

use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::placement::{self, ROOM};

/// How many arrays were made.
static MADE: AtomicUsize = AtomicUsize::new(1);

/// A fixed array in an anonymous mapping. Its elements are not dropped with it.
#[derive(Debug)]
pub struct Mapped<T> {
    at: NonNull<T>,
    len: usize,
}

// SAFETY: a `Mapped` owns its elements, like a `Vec`.
unsafe impl<T: Send> Send for Mapped<T> {}
// SAFETY: sharing it shares its elements, like a `Vec`.
unsafe impl<T: Sync> Sync for Mapped<T> {}

impl<T> Mapped<T> {
    /// An array of `len` elements, each made by `make` from its index.
    ///
    /// # Panics
    ///
    /// When the kernel refuses the mapping.
    pub fn filled(len: usize, mut make: impl FnMut(usize) -> T) -> Self {
        // ORDERING: relaxed, a number.
        let number = MADE.fetch_add(1, Relaxed);
        let start = map(bytes::<T>(len));
        // SAFETY: the mapping has a page more than the elements need.
        let at = unsafe { start.add(placement::offset(number)) }.cast::<T>();
        for index in 0..len {
            // SAFETY: the mapping has room for `len` elements.
            let element = unsafe { at.add(index) };
            // SAFETY: as above; the start is aligned to a cache line, elements follow each other without gaps.
            unsafe { element.write(make(index)) };
        }
        Self { at, len }
    }
}

impl<T> Deref for Mapped<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: the invariant: `len` initialised elements, ours.
        unsafe { core::slice::from_raw_parts(self.at.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Mapped<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and borrowed exclusively.
        unsafe { core::slice::from_raw_parts_mut(self.at.as_ptr(), self.len) }
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        let start = self.at.cast::<u8>();
        let offset = start.as_ptr() as usize % ROOM;
        // SAFETY: the array begins in the first page of its mapping.
        let start = unsafe { start.sub(offset) };
        // SAFETY: exactly the mapping that `filled` made; nobody can hold a borrow any more.
        unsafe { libc::munmap(start.as_ptr().cast(), bytes::<T>(self.len)) };
    }
}

const fn bytes<T>(len: usize) -> usize {
    len * size_of::<T>() + ROOM
}

fn map(bytes: usize) -> NonNull<u8> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping touches nothing that exists.
    let address = unsafe { libc::mmap(core::ptr::null_mut(), bytes, protection, flags, -1, 0) };
    assert!(
        address != libc::MAP_FAILED,
        "cannot map {bytes} bytes for the benchmark's own use"
    );
    NonNull::new(address.cast()).expect("the kernel maps nothing at zero")
}

#[cfg(test)]
mod tests {
    use super::Mapped;

    #[test]
    fn elements_are_what_was_made() {
        let mut squares = Mapped::filled(1000, |index| index * index);
        squares[3] = 7;
        assert_eq!(
            (squares.len(), squares[3], squares[999]),
            (1000, 7, 998_001)
        );
    }
}
