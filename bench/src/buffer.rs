//! Memory of a length only known at run time, from a table.
//!
//! # Invariant
//!
//! A [`Buffer`] is the sole owner of `len` live bytes. It frees nothing by itself; only
//! [`Table::release`] does. Words are read only where they were written or the block was zeroed:
//! callers keep to that.

use core::ffi::c_void;
use core::ptr::NonNull;

use crate::owned::out_of_memory;
use crate::table::Table;

/// The distance at which touching a buffer reaches each of its pages.
pub const PAGE: usize = 4096;

/// Sole ownership of `len` bytes.
#[derive(Debug)]
pub struct Buffer {
    at: NonNull<u8>,
    len: usize,
}

// SAFETY: a `Buffer` is a unique owner of plain bytes.
unsafe impl Send for Buffer {}

impl Table {
    /// `malloc(len)`; nothing is written.
    #[inline]
    pub fn bytes(&self, len: usize) -> Buffer {
        // SAFETY: `malloc` may be called with any size.
        Buffer::new(unsafe { (self.malloc)(len) }, len)
    }

    /// `calloc(1, len)`.
    #[inline]
    pub fn zeroed(&self, len: usize) -> Buffer {
        // SAFETY: `calloc` may be called with any sizes.
        Buffer::new(unsafe { (self.calloc)(1, len) }, len)
    }

    /// `memalign(alignment, len)`; nothing is written.
    #[inline]
    pub fn aligned_bytes(&self, alignment: usize, len: usize) -> Buffer {
        assert!(alignment.is_power_of_two());
        // SAFETY: the alignment is a power of two, the only condition `memalign` has.
        Buffer::new(unsafe { (self.memalign)(alignment, len) }, len)
    }

    /// `realloc(buffer, len)`, with `len` above zero.
    #[inline]
    pub fn resize(&self, buffer: Buffer, len: usize) -> Buffer {
        assert!(len > 0, "realloc to nothing frees");
        // SAFETY: the handle owns a live block of this table, and is gone after this call.
        Buffer::new(
            unsafe { (self.realloc)(buffer.at.as_ptr().cast::<c_void>(), len) },
            len,
        )
    }

    /// `free(buffer)`.
    #[inline]
    pub fn release(&self, buffer: Buffer) {
        // SAFETY: the handle owns a live block of this table, and is gone after this call.
        unsafe { (self.free)(buffer.at.as_ptr().cast::<c_void>()) }
    }

    /// `malloc_usable_size(buffer)`.
    #[inline]
    pub fn usable(&self, buffer: &Buffer) -> usize {
        // SAFETY: the handle owns a live block of this table.
        unsafe { (self.usable_size)(buffer.at.as_ptr().cast::<c_void>()) }
    }
}

impl Buffer {
    /// How many bytes were asked for.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no bytes were asked for.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the block lies.
    #[inline]
    pub fn address(&self) -> usize {
        self.at.addr().get()
    }

    /// Writes eight bytes, or as many as are left, at `offset`.
    #[inline]
    pub fn set_word(&mut self, offset: usize, value: u64) {
        let bytes = value.to_ne_bytes();
        let count = self.len.saturating_sub(offset).min(bytes.len());
        // SAFETY: `offset + count <= len`, or `count` is zero and `offset` is not used.
        let target = unsafe { self.at.add(if count == 0 { 0 } else { offset }) };
        // SAFETY: `count` bytes from `target` are ours, and eight at most are read.
        unsafe { target.copy_from_nonoverlapping(NonNull::from(&bytes).cast(), count) };
    }

    /// Copies all of `other`, written or not, to the beginning of this buffer, which must be as long.
    pub fn copy_from(&mut self, other: &Buffer) {
        assert!(other.len <= self.len);
        // SAFETY: both are live blocks of at least `other.len` bytes, and two owners never overlap.
        unsafe { self.at.copy_from_nonoverlapping(other.at, other.len) };
    }

    /// Reads eight bytes at `offset`, which must have been written or zeroed.
    #[inline]
    pub fn word(&self, offset: usize) -> u64 {
        assert!(offset + size_of::<u64>() <= self.len);
        // SAFETY: the eight bytes lie inside the block.
        let source = unsafe { self.at.add(offset) };
        // SAFETY: plain bytes; initialised, see the file's invariant.
        unsafe { source.cast::<u64>().read_unaligned() }
    }

    /// Writes one word to each page from `from` on, so that all of it becomes resident.
    #[inline]
    pub fn touch(&mut self, from: usize, value: u64) {
        for offset in (from..self.len).step_by(PAGE) {
            self.set_word(offset, value);
        }
    }

    /// Whether the words that [`Buffer::touch`] wrote are all still there.
    #[inline]
    pub fn holds(&self, from: usize, value: u64) -> bool {
        let end = self.len.saturating_sub(size_of::<u64>() - 1);
        (from..end)
            .step_by(PAGE)
            .all(|offset| self.word(offset) == value)
    }

    fn new(block: *mut c_void, len: usize) -> Self {
        let Some(at) = NonNull::new(block.cast::<u8>()) else {
            out_of_memory()
        };
        Self { at, len }
    }
}

#[cfg(test)]
mod tests {
    use crate::table::system;

    #[test]
    fn touched_pages_are_held_across_growth() {
        let table = system();
        let mut buffer = table.bytes(10_000);
        buffer.touch(0, 5);
        let buffer = table.resize(buffer, 100_000);
        assert!(
            (0..10_000)
                .step_by(super::PAGE)
                .all(|offset| buffer.word(offset) == 5)
        );
        assert!(table.usable(&buffer) >= 100_000);
        table.release(buffer);
    }

    #[test]
    fn a_copy_holds_what_was_written() {
        let table = system();
        let (mut first, mut second) = (table.bytes(10_000), table.bytes(20_000));
        first.touch(0, 9);
        second.copy_from(&first);
        assert!(first.holds(0, 9) && second.word(8192) == 9);
        table.release(first);
        table.release(second);
    }

    #[test]
    fn a_short_buffer_takes_what_fits() {
        let table = system();
        let mut buffer = table.zeroed(3);
        buffer.set_word(0, u64::MAX);
        buffer.set_word(3, u64::MAX);
        assert!(buffer.holds(0, 1), "nothing of a whole word to compare");
        table.release(buffer);
    }
}
