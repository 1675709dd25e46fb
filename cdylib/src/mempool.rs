//! The kernel's mempools under names of their own, as `slubmalloc.h` describes them.

use core::ffi::{c_int, c_uint};

use slubmalloc_core::raw::{self as core_alloc, CacheHandle};

use crate::errno::refuse;
use crate::kmem::{errno_of, no_handle, zero_or_errno};

/// `mempool_create_slab_pool`.
#[unsafe(no_mangle)]
extern "C" fn slub_mempool_create(count: c_int, cache: CacheHandle) -> CacheHandle {
    match core_alloc::mempool_create(cache, usize::try_from(count).unwrap_or(0)) {
        Ok(pool) => pool,
        Err(why) => no_handle(why),
    }
}

/// `mempool_alloc`.
#[unsafe(no_mangle)]
extern "C" fn slub_mempool_alloc(pool: CacheHandle, flags: c_uint) -> *mut u8 {
    match core_alloc::mempool_alloc(pool, flags) {
        Ok(object) => object.as_ptr(),
        Err(why) => refuse(errno_of(why)),
    }
}

/// `mempool_free`. Keeps `errno`.
#[unsafe(no_mangle)]
extern "C" fn slub_mempool_free(object: *mut u8, pool: CacheHandle) {
    core_alloc::mempool_free(pool, object);
}

/// `mempool_resize`: 0, or -1.
#[unsafe(no_mangle)]
extern "C" fn slub_mempool_resize(pool: CacheHandle, count: c_int) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    zero_or_errno(core_alloc::mempool_resize(pool, count))
}

/// `mempool_destroy`: 0, or -1.
#[unsafe(no_mangle)]
extern "C" fn slub_mempool_destroy(pool: CacheHandle) -> c_int {
    match pool.is_null() {
        true => 0,
        false => zero_or_errno(core_alloc::mempool_destroy(pool)),
    }
}
