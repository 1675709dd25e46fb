//! Pools, as `slubmalloc.h` describes them.

use core::ffi::{CStr, c_int, c_uint};

use slubmalloc_core::raw::{self as core_alloc, KmemError, PoolHandle, PoolOptions};

use crate::errno::refuse;
use crate::kmem::{errno_of, zero_or_errno};

/// A pool; null with `errno`.
///
/// # Safety
///
/// `options` is null or as long as its first word says; its name is null or a string.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_pool_create(options: *const PoolOptions) -> PoolHandle {
    // SAFETY: the caller's promise.
    let options = unsafe { PoolOptions::read(options) };
    let made = options.ok_or(KmemError::Invalid).and_then(|options| {
        let name = match options.name.is_null() {
            true => &[],
            // SAFETY: the caller's promise.
            false => unsafe { CStr::from_ptr(options.name) }.to_bytes(),
        };
        core_alloc::pool_create(name, options)
    });
    made.unwrap_or_else(|why| {
        refuse(errno_of(why));
        PoolHandle::NULL
    })
}

// As for malloc and free.
core::arch::global_asm!(
    ".pushsection .text.hot.pool_malloc,\"ax\",%progbits",
    ".p2align 6",
    ".popsection",
    ".pushsection .text.hot.pool_free,\"ax\",%progbits",
    ".p2align 6",
    ".popsection",
);

/// `size` bytes.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.pool_malloc")]
extern "C" fn slub_pool_malloc(pool: PoolHandle, size: usize) -> *mut u8 {
    match core_alloc::pool_alloc_fast(pool, size) {
        Some(block) => block.as_ptr(),
        None => alloc_ready(pool, size),
    }
}

/// `count` times `size` bytes of zeroes.
#[unsafe(no_mangle)]
extern "C" fn slub_pool_calloc(pool: PoolHandle, count: usize, size: usize) -> *mut u8 {
    match count.checked_mul(size) {
        Some(bytes) => alloc(pool, bytes, 1, 1),
        None => refuse(libc::ENOMEM),
    }
}

/// `size` bytes at a multiple of `align`.
#[unsafe(no_mangle)]
extern "C" fn slub_pool_aligned_alloc(pool: PoolHandle, align: usize, size: usize) -> *mut u8 {
    match align.is_power_of_two() {
        true => alloc(pool, size, align, 0),
        false => refuse(libc::EINVAL),
    }
}

/// `realloc` of a block of the pool.
///
/// # Safety
///
/// As for realloc(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_pool_realloc(pool: PoolHandle, block: *mut u8, size: usize) -> *mut u8 {
    if block.is_null() {
        return alloc(pool, size, 1, 0);
    }
    if let Err(why) = core_alloc::pool_has(pool, block) {
        return refuse(errno_of(why));
    }
    // SAFETY: the caller's promise. The block's own pool is found by its address.
    let block = unsafe { core_alloc::realloc_slow(block, size) };
    match block.is_null() && size > 0 {
        true => refuse(libc::ENOMEM),
        false => block,
    }
}

/// Frees a block of the pool. Keeps `errno`.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.pool_free")]
extern "C" fn slub_pool_free(pool: PoolHandle, block: *mut u8) {
    if !core_alloc::pool_free_fast(pool, block) {
        free_ready(pool, block);
    }
}

/// Frees all blocks: 0, or -1.
#[unsafe(no_mangle)]
extern "C" fn slub_pool_reset(pool: PoolHandle, flags: c_uint) -> c_int {
    zero_or_errno(core_alloc::pool_reset(pool, flags))
}

/// The same, and ends the pool: 0, or -1.
#[unsafe(no_mangle)]
extern "C" fn slub_pool_destroy(pool: PoolHandle, flags: c_uint) -> c_int {
    match pool.is_null() {
        true => 0,
        false => zero_or_errno(core_alloc::pool_destroy(pool, flags)),
    }
}

/// Ends a pool whose blocks stay: 0, or -1.
#[unsafe(no_mangle)]
extern "C" fn slub_pool_release(pool: PoolHandle) -> c_int {
    match pool.is_null() {
        true => 0,
        false => zero_or_errno(core_alloc::pool_release(pool)),
    }
}

/// This thread's `malloc` takes from the pool until it is popped: 0, or -1.
#[unsafe(no_mangle)]
extern "C" fn slub_pool_push(pool: PoolHandle) -> c_int {
    zero_or_errno(core_alloc::pool_push(pool))
}

/// Takes the last push back: 0, or -1.
#[unsafe(no_mangle)]
extern "C" fn slub_pool_pop(pool: PoolHandle) -> c_int {
    zero_or_errno(core_alloc::pool_pop(pool))
}

/// The pool of a block, or null.
#[unsafe(no_mangle)]
extern "C" fn slub_pool_of(block: *const u8) -> PoolHandle {
    core_alloc::pool_of(block).unwrap_or(PoolHandle::NULL)
}

/// Bytes in use.
#[unsafe(no_mangle)]
extern "C" fn slub_pool_used(pool: PoolHandle) -> usize {
    core_alloc::pool_used(pool)
}

/// Another limit: 0, or -1.
#[unsafe(no_mangle)]
extern "C" fn slub_pool_set_limit(pool: PoolHandle, limit: usize) -> c_int {
    zero_or_errno(core_alloc::pool_set_limit(pool, limit))
}

#[inline(never)]
extern "C" fn alloc_ready(pool: PoolHandle, size: usize) -> *mut u8 {
    match core_alloc::pool_alloc_ready(pool, size) {
        Some(block) => block.as_ptr(),
        None => alloc(pool, size, 1, 0),
    }
}

#[inline(never)]
extern "C" fn free_ready(pool: PoolHandle, block: *mut u8) {
    if !core_alloc::pool_free_ready(pool, block) {
        core_alloc::pool_free(pool, block);
    }
}

#[cold]
#[inline(never)]
extern "C" fn alloc(pool: PoolHandle, size: usize, align: usize, zeroed: c_int) -> *mut u8 {
    match core_alloc::pool_alloc(pool, size, align, zeroed != 0) {
        Ok(block) => block.as_ptr(),
        Err(why) => refuse(errno_of(why)),
    }
}
