//! Functions that say more of a block than `malloc` and `free` do: its size, its alignment, or whose function it is from.

use core::sync::atomic::Ordering::Relaxed;

use super::debugged;
use super::malloc::{allocate, allocate_aligned, free_slow_as, malloc_counted};
use super::process::{PROCESS, is_interrupted};
use super::size::{KEEPS_LONG, realloc, usable_size};
use super::threads::here;
use crate::modes::Family;
use crate::report::{self, Context, Violation, report_violation};
use crate::units::{MIN_ALIGN, Zeroed};

/// What `operator new` does where [`super::malloc_fast`] gives up; `align` may be 0 for none.
#[inline(never)]
pub fn new_slow(size: usize, align: usize, family: Family) -> *mut u8 {
    if align > MIN_ALIGN {
        return allocate_aligned(align, size, family);
    }
    match malloc_counted(size) {
        Some(block) => block.as_ptr(),
        None => allocate(size, MIN_ALIGN, Zeroed::No, family),
    }
}

/// Frees `block`, which functions of this family allocated.
///
/// # Safety
///
/// As for [`super::free`].
#[inline(always)]
pub unsafe fn delete(block: *mut u8, family: Family) {
    if !here().push(block) {
        free_slow_as(block, family);
    }
}

/// Frees `block`, of which the caller knows the size it asked for, and the alignment, which may be 1. A block that
/// cannot be one of those is a violation. See C23 7.24.3.4 and Rust's `GlobalAlloc`.
///
/// # Safety
///
/// As for [`super::free`].
#[inline]
pub unsafe fn free_sized(block: *mut u8, size: usize, align: usize) {
    // SAFETY: the caller's promise.
    unsafe { delete_sized(block, size, align, Family::Malloc) };
}

/// As [`free_sized`], for a block that functions of this family allocated.
///
/// # Safety
///
/// As for [`super::free`].
#[inline]
pub unsafe fn delete_sized(block: *mut u8, size: usize, align: usize, family: Family) {
    let is_aligned = align <= MIN_ALIGN || (block as usize).is_multiple_of(align);
    if !(is_aligned && here().push_sized(block, size)) {
        delete_sized_slow(block, size, align, family);
    }
}

#[cold]
#[inline(never)]
fn delete_sized_slow(block: *mut u8, size: usize, align: usize, family: Family) {
    let is_aligned = align <= MIN_ALIGN || (block as usize).is_multiple_of(align);
    if is_aligned && here().is_in_class_of(block, size)
        || fits(block, size, align)
        || !report::only_warns()
    {
        // SAFETY: the caller of `delete_sized` gives the block up.
        unsafe { delete(block, family) };
    }
}

/// Changes the size of a block of which the caller knows size and alignment, as [`realloc`] does.
///
/// # Safety
///
/// As for [`realloc`].
#[inline]
pub unsafe fn realloc_sized(block: *mut u8, old: usize, align: usize, size: usize) -> *mut u8 {
    // Named if it is wrong; where that is no end, the block is what it is.
    let _ = here().is_in_class_of(block, old) || fits(block, old, align);
    // SAFETY: the caller's promise.
    unsafe { realloc(block, size) }
}

/// Whether a block can be one that was asked for with that size and alignment, which is reported if not.
///
/// A block that `realloc` shortened in place, or that an alignment above `align` 16 made longer, may have more
/// bytes than its size needs.
#[cold]
#[inline(never)]
fn fits(block: *mut u8, size: usize, align: usize) -> bool {
    if report::is_ending() || is_interrupted() {
        // Blocks have any size then, or the locks are taken that looking needs.
        return true;
    }
    // ORDERING: relaxed, as in `realloc`.
    let may_be_long = KEEPS_LONG.load(Relaxed);
    let asked = PROCESS
        .get()
        .and_then(|process| debugged::usable_size(process, block as usize));
    let (bytes, is_right) = match asked {
        Some(Ok(bytes)) => (bytes, size == bytes || size < bytes && may_be_long),
        _ => {
            let usable = usable_size(block);
            let may_be_long = may_be_long || align > MIN_ALIGN || usable <= MIN_ALIGN;
            let is_short = size < usable / 2 && !may_be_long;
            (usable, usable == 0 || size <= usable && !is_short)
        }
    };
    let is_aligned = bytes == 0 || align <= MIN_ALIGN || (block as usize).is_multiple_of(align);
    let violation = match (is_right, is_aligned) {
        (true, true) => return true,
        (false, _) => Violation::SizeMismatch,
        (true, false) => Violation::AlignMismatch,
    };
    report_violation(violation, block as usize, Context::Block { bytes });
    false
}
