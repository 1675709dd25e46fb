//! The kernel's slab functions under names of their own, as `slubmalloc.h` describes them.

use core::ffi::{CStr, c_char, c_int, c_uint};
use core::ptr::NonNull;

use slubmalloc_core::raw::{
    self as core_alloc, CacheArgs, CacheHandle, KmemError, Missed, SheafHandle,
};

use crate::errno::refuse;

/// A constructor or destructor.
type Hook = Option<extern "C" fn(*mut u8)>;

/// `kmem_cache_create`.
///
/// # Safety
///
/// `name` is null or a string.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kmem_cache_create(
    name: *const c_char,
    size: c_uint,
    align: c_uint,
    flags: c_uint,
    constructor: Hook,
) -> CacheHandle {
    let args = CacheArgs {
        align,
        constructor,
        ..CacheArgs::default()
    };
    // SAFETY: the caller's promise.
    unsafe { create(name, size, args, flags) }
}

/// The same with more to say.
///
/// # Safety
///
/// `name` is null or a string; `args` is null or as long as its first word says.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kmem_cache_create_args(
    name: *const c_char,
    size: c_uint,
    args: *const CacheArgs,
    flags: c_uint,
) -> CacheHandle {
    // SAFETY: the caller's promise.
    match unsafe { CacheArgs::read(args) } {
        // SAFETY: the caller's promise.
        Some(args) => unsafe { create(name, size, args, flags) },
        None => no_handle(KmemError::Invalid),
    }
}

/// `kmem_cache_destroy`: 0, or -1 with `EBUSY`, or `EINVAL` for one that was destroyed before.
#[unsafe(no_mangle)]
extern "C" fn slub_kmem_cache_destroy(cache: CacheHandle) -> c_int {
    match cache.is_null() {
        true => 0,
        false => zero_or_errno(core_alloc::kmem_destroy(cache)),
    }
}

// As for malloc and free.
core::arch::global_asm!(
    ".pushsection .text.hot.kmem_alloc,\"ax\",%progbits",
    ".p2align 6",
    ".popsection",
    ".pushsection .text.hot.kmem_free,\"ax\",%progbits",
    ".p2align 6",
    ".popsection",
);

/// `kmem_cache_alloc`.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.kmem_alloc")]
extern "C" fn slub_kmem_cache_alloc(cache: CacheHandle, flags: c_uint) -> *mut u8 {
    match core_alloc::kmem_alloc_fast(cache, flags) {
        Ok(object) => object.as_ptr(),
        Err(missed) => alloc_missed(missed, flags),
    }
}

/// `kmem_cache_zalloc`.
#[unsafe(no_mangle)]
extern "C" fn slub_kmem_cache_zalloc(cache: CacheHandle, flags: c_uint) -> *mut u8 {
    const ZERO: c_uint = 0x100;
    alloc_slow(cache, flags | ZERO, -1)
}

/// `kmem_cache_alloc_node`.
#[unsafe(no_mangle)]
extern "C" fn slub_kmem_cache_alloc_node(
    cache: CacheHandle,
    flags: c_uint,
    node: c_int,
) -> *mut u8 {
    alloc_slow(cache, flags, node)
}

/// `kmem_cache_free`. Keeps `errno`.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.kmem_free")]
extern "C" fn slub_kmem_cache_free(cache: CacheHandle, object: *mut u8) {
    if !core_alloc::kmem_free_fast(cache, object) {
        core_alloc::kmem_free_slow(cache, object);
    }
}

/// `kmem_cache_alloc_bulk`: `count`, or 0 and no object.
///
/// # Safety
///
/// `objects` has room for `count`.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kmem_cache_alloc_bulk(
    cache: CacheHandle,
    flags: c_uint,
    count: usize,
    objects: *mut *mut u8,
) -> c_int {
    let Some(first) = NonNull::new(objects).filter(|_| c_int::try_from(count).is_ok()) else {
        refuse(libc::EINVAL);
        return 0;
    };
    // SAFETY: the caller's promise.
    let places = unsafe { core::slice::from_raw_parts_mut(first.as_ptr(), count) };
    match core_alloc::kmem_alloc_bulk(cache, flags, places) {
        Ok(()) => count as c_int,
        Err(why) => {
            refuse(errno_of(why));
            0
        }
    }
}

/// `kmem_cache_free_bulk`.
///
/// # Safety
///
/// `objects` has `count` objects of the cache.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kmem_cache_free_bulk(
    cache: CacheHandle,
    count: usize,
    objects: *const *mut u8,
) {
    if count > 0 && !objects.is_null() {
        // SAFETY: the caller's promise.
        let objects = unsafe { core::slice::from_raw_parts(objects, count) };
        core_alloc::kmem_free_bulk(cache, objects);
    }
}

/// `kmem_cache_shrink`: 0, or -1 with `EINVAL` for what is no cache.
#[unsafe(no_mangle)]
extern "C" fn slub_kmem_cache_shrink(cache: CacheHandle) -> c_int {
    zero_or_errno(core_alloc::kmem_shrink(cache))
}

/// `kmem_cache_size`.
#[unsafe(no_mangle)]
extern "C" fn slub_kmem_cache_size(cache: CacheHandle) -> c_uint {
    known_or_einval(core_alloc::kmem_size(cache)) as c_uint
}

/// The alignment of objects.
#[unsafe(no_mangle)]
extern "C" fn slub_kmem_cache_alignment(cache: CacheHandle) -> c_uint {
    known_or_einval(core_alloc::kmem_alignment(cache)) as c_uint
}

/// The name.
#[unsafe(no_mangle)]
extern "C" fn slub_kmem_cache_name(cache: CacheHandle) -> *const c_char {
    match core_alloc::kmem_name(cache) {
        Some(name) => name.cast(),
        None => refuse(libc::EINVAL).cast(),
    }
}

/// Objects that the program holds.
#[unsafe(no_mangle)]
extern "C" fn slub_kmem_cache_used(cache: CacheHandle) -> usize {
    known_or_einval(core_alloc::kmem_used(cache))
}

/// The most objects that may be out: 0, or -1 with `EINVAL`.
#[unsafe(no_mangle)]
extern "C" fn slub_kmem_cache_set_limit(cache: CacheHandle, objects: usize) -> c_int {
    if core_alloc::kmem_set_limit(cache, objects) {
        return 0;
    }
    refuse(libc::EINVAL);
    -1
}

/// `kmem_cache_prefill_sheaf`.
#[unsafe(no_mangle)]
extern "C" fn slub_kmem_cache_prefill_sheaf(
    cache: CacheHandle,
    flags: c_uint,
    count: c_uint,
) -> SheafHandle {
    match core_alloc::prefill_sheaf(cache, flags, count as usize) {
        Ok(sheaf) => sheaf,
        Err(why) => {
            refuse(errno_of(why));
            SheafHandle::NULL
        }
    }
}

/// `kmem_cache_alloc_from_sheaf`. An empty sheaf leaves `errno` alone.
///
/// # Safety
///
/// No other thread uses the sheaf.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kmem_cache_alloc_from_sheaf(
    cache: CacheHandle,
    flags: c_uint,
    sheaf: SheafHandle,
) -> *mut u8 {
    // SAFETY: the caller's promise.
    match unsafe { core_alloc::alloc_from_sheaf(cache, flags, sheaf) } {
        Ok(object) => object.map_or(core::ptr::null_mut(), NonNull::as_ptr),
        Err(why) => refuse(errno_of(why)),
    }
}

/// `kmem_cache_refill_sheaf`: 0, or -1.
///
/// # Safety
///
/// `sheaf` is null or to be read and written, and no other thread uses `*sheaf`.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kmem_cache_refill_sheaf(
    cache: CacheHandle,
    flags: c_uint,
    sheaf: *mut SheafHandle,
    count: c_uint,
) -> c_int {
    let place = NonNull::new(sheaf);
    // SAFETY: the caller's promise.
    let old = place.map_or(SheafHandle::NULL, |it| unsafe { it.read() });
    // SAFETY: the caller's promise.
    let filled = unsafe { core_alloc::refill_sheaf(cache, flags, old, count as usize) };
    if let (Ok(new), Some(place)) = (filled, place) {
        // SAFETY: the caller's promise.
        unsafe { place.write(new) };
    }
    zero_or_errno(filled.map(|_| ()))
}

/// `kmem_cache_return_sheaf`. No flag means anything to it.
///
/// # Safety
///
/// No other thread uses the sheaf.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kmem_cache_return_sheaf(
    cache: CacheHandle,
    _flags: c_uint,
    sheaf: SheafHandle,
) {
    if !sheaf.is_null() {
        // SAFETY: the caller's promise.
        unsafe { core_alloc::return_sheaf(cache, sheaf) };
    }
}

/// `kmem_cache_sheaf_size`; 0 with `EINVAL` for what is none.
///
/// # Safety
///
/// No other thread uses the sheaf.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kmem_cache_sheaf_size(sheaf: SheafHandle) -> c_uint {
    // SAFETY: the caller's promise.
    known_or_einval(unsafe { core_alloc::sheaf_size(sheaf) }) as c_uint
}

/// A grace period begins: its number.
#[unsafe(no_mangle)]
extern "C" fn slub_rcu_begin() -> u64 {
    core_alloc::rcu_begin()
}

/// A grace period has ended: 0, or -1 with `EINVAL`.
#[unsafe(no_mangle)]
extern "C" fn slub_rcu_end(number: u64) -> c_int {
    if core_alloc::rcu_end(number) {
        return 0;
    }
    refuse(libc::EINVAL);
    -1
}

unsafe fn create(name: *const c_char, size: c_uint, args: CacheArgs, flags: c_uint) -> CacheHandle {
    let name = match name.is_null() {
        true => &[],
        // SAFETY: the caller's promise.
        false => unsafe { CStr::from_ptr(name) }.to_bytes(),
    };
    match core_alloc::kmem_create(name, size as usize, args, flags) {
        Ok(cache) => cache,
        Err(why) => no_handle(why),
    }
}

/// Null, with `errno`.
pub(crate) fn no_handle(why: KmemError) -> CacheHandle {
    refuse(errno_of(why));
    CacheHandle::NULL
}

#[cold]
#[inline(never)]
extern "C" fn alloc_missed(missed: Missed, flags: c_uint) -> *mut u8 {
    alloc_slow(core_alloc::missed_cache(missed), flags, -1)
}

#[cold]
extern "C" fn alloc_slow(cache: CacheHandle, flags: c_uint, node: c_int) -> *mut u8 {
    match core_alloc::kmem_alloc_slow(cache, flags, node) {
        Ok(object) => object.as_ptr(),
        Err(why) => refuse(errno_of(why)),
    }
}

/// A number, or 0 with `EINVAL` for what has none.
fn known_or_einval(number: Option<usize>) -> usize {
    number.unwrap_or_else(|| {
        refuse(libc::EINVAL);
        0
    })
}

/// 0, or -1 with `errno`.
pub(crate) fn zero_or_errno(done: Result<(), KmemError>) -> c_int {
    match done {
        Ok(()) => 0,
        Err(why) => {
            refuse(errno_of(why));
            -1
        }
    }
}

pub(crate) fn errno_of(why: KmemError) -> c_int {
    match why {
        KmemError::Invalid => libc::EINVAL,
        KmemError::NoMemory => libc::ENOMEM,
        KmemError::InUse => libc::EBUSY,
    }
}
