//! The kernel's mempools under names of their own, as `slubmalloc.h` describes them.

use core::ffi::{c_int, c_uint};

use slubmalloc_core::{self as core_alloc, NamedCache};

use crate::errno::refuse;
use crate::kmem::{errno_of, zero_or_errno};

/// `mempool_create_slab_pool`.
#[unsafe(no_mangle)]
extern "C" fn slub_mempool_create(count: c_int, cache: &'static NamedCache) -> *mut NamedCache {
    match core_alloc::mempool_create(cache, usize::try_from(count).unwrap_or(0)) {
        Ok(pool) => core::ptr::from_ref(pool).cast_mut(),
        Err(why) => refuse(errno_of(why)).cast(),
    }
}

/// `mempool_alloc`.
#[unsafe(no_mangle)]
extern "C" fn slub_mempool_alloc(pool: &'static NamedCache, flags: c_uint) -> *mut u8 {
    match core_alloc::mempool_alloc(pool, flags) {
        Ok(object) => object.as_ptr(),
        Err(why) => refuse(errno_of(why)),
    }
}

/// `mempool_free`. Keeps `errno`.
#[unsafe(no_mangle)]
extern "C" fn slub_mempool_free(object: *mut u8, pool: &'static NamedCache) {
    core_alloc::mempool_free(pool, object);
}

/// `mempool_resize`: 0, or -1.
#[unsafe(no_mangle)]
extern "C" fn slub_mempool_resize(pool: &'static NamedCache, count: c_int) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    zero_or_errno(core_alloc::mempool_resize(pool, count))
}

/// `mempool_destroy`: 0, or -1.
///
/// # Safety
///
/// `pool` is null or was created.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_mempool_destroy(pool: *const NamedCache) -> c_int {
    // SAFETY: the caller's promise; a pool's structure stays for ever.
    match unsafe { pool.as_ref() } {
        Some(pool) => zero_or_errno(core_alloc::mempool_destroy(pool)),
        None => 0,
    }
}
