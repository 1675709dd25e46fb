//! The kernel's page functions: blocks of 2^order pages of 4 KiB at multiples of their length.

use core::ptr::NonNull;

use super::kmalloc::aligned;
use super::{free_sized, usable_size};
use crate::kmem::{Gfp, KmemError};
use crate::units::{BLOCK_SIZE, MAX_ORDER, PAGE_SHIFT, PAGE_SIZE, align_up};

/// Allocates 2^`order` pages, 0 ..= 10.
///
/// # Errors
///
/// [`KmemError::Invalid`] for a larger order and for flags that are refused.
pub fn alloc_pages(flags: u32, order: u32) -> Result<NonNull<u8>, KmemError> {
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    let bytes = bytes_of(order).ok_or(KmemError::Invalid)?;
    aligned(bytes, bytes, gfp)
}

/// Allocates whole pages for `size` bytes, 1 byte to 4 MiB, at a multiple of the power of two that holds them.
///
/// # Errors
///
/// As for [`alloc_pages`].
pub fn alloc_pages_exact(size: usize, flags: u32) -> Result<NonNull<u8>, KmemError> {
    let gfp = Gfp::new(flags).ok_or(KmemError::Invalid)?;
    let bytes = align_up(size, PAGE_SIZE).filter(|bytes| (1..=BLOCK_SIZE).contains(bytes));
    let bytes = bytes.ok_or(KmemError::Invalid)?;
    aligned(bytes, bytes.next_power_of_two(), gfp)
}

/// Frees 2^`order` pages; null is ignored. Another order than that of the block is reported.
///
/// # Safety
///
/// As for [`super::free`].
pub unsafe fn free_pages(start: *mut u8, order: u32) {
    // An order that no block has is a size that none has.
    let bytes = bytes_of(order).unwrap_or(usize::MAX);
    // SAFETY: the caller's promise.
    unsafe { free_pages_exact(start, bytes) };
}

/// Frees the pages of `size` bytes that [`alloc_pages_exact`] gave; null is ignored. Pages of another number, as far as they would have
/// come in another block, are reported.
///
/// # Safety
///
/// As for [`super::free`].
pub unsafe fn free_pages_exact(start: *mut u8, size: usize) {
    let holds = usable_size(start).checked_next_power_of_two();
    // A sized free is content with any size that is not more than the block has.
    let is_less = size.checked_next_power_of_two() < holds;
    let bytes = if is_less { usize::MAX } else { size };
    // SAFETY: the caller's promise.
    unsafe { free_sized(start, bytes, PAGE_SIZE) };
}

/// The order of the block that begins with the page at `start`; 0 for a page inside of a block.
pub fn page_order(start: *const u8) -> u32 {
    let pages = usable_size(start) / PAGE_SIZE;
    pages.checked_ilog2().unwrap_or(0)
}

fn bytes_of(order: u32) -> Option<usize> {
    (order <= MAX_ORDER as u32).then(|| 1_usize << (PAGE_SHIFT + order))
}
