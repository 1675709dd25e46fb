//! What depends on a block's size: changing it, and telling it.
//!
//! # Invariant
//!
//! What is not told in time, because it would need a lock that the calling thread may hold, is not told at all.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::malloc::{free, malloc};
use super::process::{PROCESS, Process, is_interrupted, process};
use super::threads::{here, inside};
use super::{debugged, early, named, pooled, profiled, pushed};
use crate::heap::{Home, Resized};
use crate::report::{self, Context, Violation, report_violation};
use crate::slab::class;
use crate::sys;
use crate::units::BLOCK_SIZE;

/// Whether `realloc` ever left a block as long as it was, since there was no memory for a shorter one.
pub(super) static KEEPS_LONG: AtomicBool = AtomicBool::new(false);

/// Changes the size of `block` to `size`, moving it if need be; null leaves it as it was, except
/// that size 0 frees it. See realloc(3).
///
/// # Safety
///
/// As for [`free`]; after a non-null answer the old address is gone.
#[inline]
pub unsafe fn realloc(block: *mut u8, size: usize) -> *mut u8 {
    if realloc_fast(block, size) {
        return block;
    }
    // SAFETY: the caller's promise.
    unsafe { realloc_slow(block, size) }
}

/// The fast path of [`realloc`]: whether `block` is right for `size` as it is, and no debug mode is on.
#[inline(always)]
pub fn realloc_fast(block: *const u8, size: usize) -> bool {
    // A size of 0 is none of either.
    if size.wrapping_sub(1) < BLOCK_SIZE {
        return here().may_stay(block, size) && is_without_modes(|_| true);
    }
    // Of a sample it is noted how long it is.
    is_without_modes(|process| process.heap.is_right(block, size) && !process.profile.is_known())
}

/// Whether no debug mode is on in the process, and it is `right` for something else.
#[inline(always)]
fn is_without_modes(right: impl FnOnce(&Process) -> bool) -> bool {
    let process = PROCESS.get();
    process.is_some_and(|process| right(process) && !process.modes.is_on())
}

/// What [`realloc`] does where its fast path gives up.
///
/// # Safety
///
/// As for [`realloc`].
#[inline(never)]
pub unsafe fn realloc_slow(block: *mut u8, size: usize) -> *mut u8 {
    let Some(old) = NonNull::new(block) else {
        return malloc(size);
    };
    if size == 0 {
        // SAFETY: the caller gives the block up.
        unsafe { free(block) };
        return core::ptr::null_mut();
    }
    if here().is_in_class_of(block, size) && is_without_modes(|_| true) {
        return block;
    }
    if size > isize::MAX as usize {
        return core::ptr::null_mut();
    }
    // An object of a slab is not resized where it is.
    let old_bytes = here().usable_size(block);
    if let Some(old_bytes) = old_bytes.filter(|bytes| *bytes <= class::MAX_SMALL)
        && is_without_modes(|_| true)
    {
        // SAFETY: the caller's promise.
        return unsafe { copy_to(old, old_bytes, take_beside(size), size) };
    }
    if !is_locked_out()
        && let Some(resized) = pooled::resize(old, size)
    {
        let take = || pooled::take_beside(old, size).unwrap_or_else(|| take_beside(size));
        // SAFETY: the caller's promise.
        return unsafe { settle(resized, old, take, size) };
    }
    let resized = match (early::find(block), process()) {
        (Some(early), _) => early
            .usable_size()
            .map_or(Resized::NoBlock, |old_bytes| Resized::Copy { old_bytes }),
        (None, Some(process)) if is_locked_out() => match size_unlocked(process, block) {
            Some(old_bytes) => Resized::Copy { old_bytes },
            None => return core::ptr::null_mut(),
        },
        (None, Some(process)) => inside(|| resize(process, old, size)),
        (None, None) => {
            report_violation(Violation::InvalidFree, block as usize, Context::Nowhere);
            return core::ptr::null_mut();
        }
    };
    // SAFETY: the caller's promise.
    unsafe { settle(resized, old, || take_beside(size), size) }
}

/// Tries to change a block's size without copying it.
// Apart, for the sake of the stack.
#[inline(never)]
fn resize(process: &'static Process, old: NonNull<u8>, size: usize) -> Resized {
    if process.modes.is_on() {
        return debugged::resize(process, old, size);
    }
    let lifted = profiled::lift(old);
    let resized = process.heap.resize(old, size);
    match resized {
        Resized::At(block) => profiled::put_back(lifted, block, Some(size)),
        _ => profiled::put_back(lifted, old, None),
    }
    match (resized, named::usable_size(old.as_ptr().addr())) {
        // Red zones may lie after it.
        (Resized::Copy { .. }, Some(old_bytes)) => Resized::Copy { old_bytes },
        (resized, _) => resized,
    }
}

/// A block to move to one that is of no pool, whatever the thread has pushed: others may have it, and for longer.
fn take_beside(size: usize) -> *mut u8 {
    pushed::beside(|| malloc(size))
}

/// The answer of [`realloc`] where it is known what can be done in place; a new block is one that `take` gets.
///
/// # Safety
///
/// As for [`realloc`].
unsafe fn settle(
    resized: Resized,
    old: NonNull<u8>,
    take: impl FnOnce() -> *mut u8,
    size: usize,
) -> *mut u8 {
    match resized {
        Resized::At(block) => block.as_ptr(),
        Resized::NoBlock => {
            // As freeing it would.
            // SAFETY: it is nobody's block.
            unsafe { free(old.as_ptr()) };
            core::ptr::null_mut()
        }
        // SAFETY: the caller's promise.
        Resized::Copy { old_bytes } => unsafe { copy_to(old, old_bytes, take(), size) },
    }
}

/// Moves a block that has `old_bytes` to one of `size`, unless that is null; null leaves it as it was.
///
/// # Safety
///
/// As for [`realloc`].
unsafe fn copy_to(old: NonNull<u8>, old_bytes: usize, new: *mut u8, size: usize) -> *mut u8 {
    if let Some(new) = NonNull::new(new) {
        // SAFETY: two blocks, both at least as long as the shorter one.
        unsafe { sys::copy(old, new, old_bytes.min(size)) };
        // SAFETY: the caller gives the old block up.
        unsafe { free(old.as_ptr()) };
    } else if size <= old_bytes {
        // A smaller block would be better, but the old one serves.
        // ORDERING: relaxed: only callers that were given such a block ask.
        KEEPS_LONG.store(true, Relaxed);
        return old.as_ptr();
    }
    new
}

/// The bytes of `block` that may be used, at least as many as were asked for; 0 for null and for
/// what is no block. See malloc_usable_size(3).
#[inline]
pub fn usable_size(block: *const u8) -> usize {
    match here().usable_size(block) {
        Some(bytes) if is_without_modes(|_| true) => bytes,
        _ => usable_size_slow(block),
    }
}

#[inline(never)]
fn usable_size_slow(block: *const u8) -> usize {
    if let Some(early) = early::find(block) {
        return early.usable_size().unwrap_or(0);
    }
    let Some(process) = PROCESS.get() else {
        return 0;
    };
    if is_locked_out() {
        return size_unlocked(process, block).unwrap_or(0);
    }
    let own = pooled::usable_size(block.addr()).or_else(|| named::usable_size(block.addr()));
    if let Some(bytes) = own {
        return bytes;
    }
    inside(|| match debugged::usable_size(process, block as usize) {
        Some(answer) => answer.unwrap_or(0),
        None => process.heap.usable_size(block as usize).unwrap_or(0),
    })
}

/// Whether the calling thread may hold a lock that looking at a block needs. Of a thread that reports and aborts only the
/// cache is taken: its blocks are mappings.
fn is_locked_out() -> bool {
    is_interrupted() && !report::is_ending()
}

/// The bytes of `block` if that can be told without a lock: of a small one, if no debug mode is on.
#[cold]
fn size_unlocked(process: &Process, block: *const u8) -> Option<usize> {
    match process.heap.locate(block as usize) {
        Home::Slab {
            class,
            is_start: true,
            ..
        }
        | Home::Sampled {
            class,
            is_start: true,
            ..
        } if !process.modes.is_on() => Some(class::info(class).size as usize),
        _ => None,
    }
}
