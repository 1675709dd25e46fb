//! The C allocation functions, as glibc's manual and malloc(3) describe them.

use core::ffi::{c_int, c_void};

use slubmalloc_core::raw as core_alloc;

use crate::errno::{or_enomem, refuse};

// Both begin with a cache line, and so do their sections, whatever the rest of the code is optimised for.
core::arch::global_asm!(
    ".pushsection .text.hot.malloc,\"ax\",%progbits",
    ".p2align 6",
    ".popsection",
    ".pushsection .text.hot.free,\"ax\",%progbits",
    ".p2align 6",
    ".popsection",
);

/// malloc(3).
// The two that everything calls lie next to each other, wherever the rest of the code puts them: how well a
// processor predicts them else changes with every build, by half of the time of some loops.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.malloc")]
extern "C" fn malloc(size: usize) -> *mut u8 {
    match core_alloc::malloc_fast(size) {
        Some(block) => block.as_ptr(),
        None => malloc_missed(size),
    }
}

/// A tail call, so that the fast path needs no stack. This one, of a program whose heap is profiled, needs none either.
#[cold]
extern "C" fn malloc_missed(size: usize) -> *mut u8 {
    match core_alloc::malloc_counted(size) {
        Some(block) => block.as_ptr(),
        None => malloc_slow(size),
    }
}

#[cold]
#[inline(never)]
extern "C" fn malloc_slow(size: usize) -> *mut u8 {
    or_enomem(core_alloc::malloc_slow(size))
}

/// free(3). Keeps `errno`.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.free")]
extern "C" fn free(block: *mut u8) {
    // SAFETY: C's contract: nobody uses the block any more.
    unsafe { core_alloc::free(block) };
}

/// `cfree`, an old name of `free`.
#[unsafe(no_mangle)]
extern "C" fn cfree(block: *mut u8) {
    // SAFETY: as for `free`.
    unsafe { core_alloc::free(block) };
}

/// C23 7.24.3.4: frees a block of which the caller knows the size it asked for.
#[unsafe(no_mangle)]
extern "C" fn free_sized(block: *mut u8, size: usize) {
    // SAFETY: as for `free`.
    unsafe { core_alloc::free_sized(block, size, 1) };
}

/// C23 7.24.3.5: frees a block of which the caller knows size and alignment.
#[unsafe(no_mangle)]
extern "C" fn free_aligned_sized(block: *mut u8, align: usize, size: usize) {
    // SAFETY: as for `free`.
    unsafe { core_alloc::free_sized(block, size, align) };
}

/// calloc(3).
#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, size: usize) -> *mut u8 {
    or_enomem(core_alloc::calloc(count, size))
}

/// realloc(3).
#[unsafe(no_mangle)]
extern "C" fn realloc(block: *mut u8, size: usize) -> *mut u8 {
    resize(block, size)
}

/// reallocarray(3).
#[unsafe(no_mangle)]
extern "C" fn reallocarray(block: *mut u8, count: usize, size: usize) -> *mut u8 {
    let Some(bytes) = count.checked_mul(size) else {
        return refuse(libc::ENOMEM);
    };
    // SAFETY: C's contract.
    let new = unsafe { core_alloc::realloc(block, bytes) };
    if new.is_null() && (bytes != 0 || block.is_null()) {
        refuse(libc::ENOMEM)
    } else {
        new
    }
}

/// memalign(3). As in glibc, an alignment that is no power of two is rounded up to one.
#[unsafe(no_mangle)]
extern "C" fn memalign(align: usize, size: usize) -> *mut u8 {
    memalign_any(align, size)
}

/// aligned_alloc(3). An alignment that is no power of two is `EINVAL`.
#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(align: usize, size: usize) -> *mut u8 {
    if align.is_power_of_two() {
        or_enomem(core_alloc::memalign(align, size))
    } else {
        refuse(libc::EINVAL)
    }
}

/// posix_memalign(3). Leaves `place` alone unless it succeeds. Without memory `errno` is ENOMEM, as in every other
/// allocator, since programs print it.
///
/// # Safety
///
/// `place` may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(place: *mut *mut u8, align: usize, size: usize) -> c_int {
    if !align.is_power_of_two() || align < size_of::<*mut c_void>() {
        return libc::EINVAL;
    }
    let block = core_alloc::memalign(align, size);
    if block.is_null() {
        refuse(libc::ENOMEM);
        return libc::ENOMEM;
    }
    // SAFETY: the caller's promise.
    unsafe { place.write(block) };
    0
}

/// valloc(3): aligned to a page.
#[unsafe(no_mangle)]
extern "C" fn valloc(size: usize) -> *mut u8 {
    memalign_any(core_alloc::page_size(), size)
}

/// pvalloc(3): aligned to a page and rounded up to whole pages.
#[unsafe(no_mangle)]
extern "C" fn pvalloc(size: usize) -> *mut u8 {
    whole_pages(size)
}

/// malloc_usable_size(3).
#[unsafe(no_mangle)]
extern "C" fn malloc_usable_size(block: *mut u8) -> usize {
    core_alloc::usable_size(block)
}

#[inline(always)]
fn resize(block: *mut u8, size: usize) -> *mut u8 {
    if core_alloc::realloc_fast(block, size) {
        return block;
    }
    // Interpreters allocate by nothing else.
    if block.is_null() {
        return malloc_here(size);
    }
    resize_slow(block, size)
}

/// As [`malloc`], which another library's may stand in for.
#[inline(never)]
extern "C" fn malloc_here(size: usize) -> *mut u8 {
    match core_alloc::malloc_fast(size) {
        Some(block) => block.as_ptr(),
        None => malloc_missed(size),
    }
}

#[inline(never)]
fn resize_slow(block: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: C's contract: the block is in use, and after a success its old address is not used.
    let new = unsafe { core_alloc::realloc_slow(block, size) };
    if new.is_null() && size != 0 {
        refuse(libc::ENOMEM)
    } else {
        new
    }
}

fn memalign_any(align: usize, size: usize) -> *mut u8 {
    match align.checked_next_power_of_two() {
        Some(align) => or_enomem(core_alloc::memalign(align, size)),
        None => refuse(libc::EINVAL),
    }
}

fn whole_pages(size: usize) -> *mut u8 {
    let page = core_alloc::page_size();
    match size.checked_next_multiple_of(page) {
        Some(size) => or_enomem(core_alloc::memalign(page, size.max(page))),
        None => refuse(libc::ENOMEM),
    }
}

/// The names that glibc's static library calls its own allocator by.
mod libc_names {
    use super::{core_alloc, memalign_any, or_enomem, resize, whole_pages};

    /// `malloc`.
    #[unsafe(no_mangle)]
    extern "C" fn __libc_malloc(size: usize) -> *mut u8 {
        or_enomem(core_alloc::malloc(size))
    }

    /// `free`.
    #[unsafe(no_mangle)]
    extern "C" fn __libc_free(block: *mut u8) {
        // SAFETY: as for `free`.
        unsafe { core_alloc::free(block) };
    }

    /// `calloc`.
    #[unsafe(no_mangle)]
    extern "C" fn __libc_calloc(count: usize, size: usize) -> *mut u8 {
        or_enomem(core_alloc::calloc(count, size))
    }

    /// `realloc`.
    #[unsafe(no_mangle)]
    extern "C" fn __libc_realloc(block: *mut u8, size: usize) -> *mut u8 {
        resize(block, size)
    }

    /// `memalign`.
    #[unsafe(no_mangle)]
    extern "C" fn __libc_memalign(align: usize, size: usize) -> *mut u8 {
        memalign_any(align, size)
    }

    /// `valloc`.
    #[unsafe(no_mangle)]
    extern "C" fn __libc_valloc(size: usize) -> *mut u8 {
        memalign_any(core_alloc::page_size(), size)
    }

    /// `pvalloc`.
    #[unsafe(no_mangle)]
    extern "C" fn __libc_pvalloc(size: usize) -> *mut u8 {
        whole_pages(size)
    }
}
