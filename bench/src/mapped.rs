//! Arrays of the benchmark's own, mapped by hand so that they cost the allocator under test nothing.
//!
//! # Invariant
//!
//! All `len` elements are initialised, and resident, before the array is handed out.

use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

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
        let at = map(bytes::<T>(len)).cast::<T>();
        for index in 0..len {
            // SAFETY: the mapping has room for `len` elements.
            let element = unsafe { at.add(index) };
            // SAFETY: as above; a mapping is page-aligned, elements follow each other without gaps.
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
        // SAFETY: exactly the mapping that `filled` made; nobody can hold a borrow any more.
        unsafe { libc::munmap(self.at.as_ptr().cast(), bytes::<T>(self.len)) };
    }
}

const fn bytes<T>(len: usize) -> usize {
    let bytes = len * size_of::<T>();
    if bytes == 0 { 1 } else { bytes }
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
