//! The kernel's `kmalloc`, `vmalloc` and page functions under names of their own, as `slubmalloc.h` describes them.

use core::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};
use core::ptr::{NonNull, null_mut};

use slubmalloc_core::raw::{self as core_alloc, KmemError};

use crate::errno::{or_enomem, refuse};

/// `__GFP_ZERO`.
const ZERO: c_uint = 0x100;
/// Bit 0 of a page's handle, which is an address otherwise: nobody shall read through it.
const HANDLE: usize = 1;
const PAGE: usize = 4096;

/// `kmalloc`.
#[unsafe(no_mangle)]
extern "C" fn slub_kmalloc(size: usize, flags: c_uint) -> *mut u8 {
    answer(core_alloc::kmalloc(size, flags, -1))
}

/// `kzalloc`.
#[unsafe(no_mangle)]
extern "C" fn slub_kzalloc(size: usize, flags: c_uint) -> *mut u8 {
    answer(core_alloc::kmalloc(size, flags | ZERO, -1))
}

/// `kmalloc_node`.
#[unsafe(no_mangle)]
extern "C" fn slub_kmalloc_node(size: usize, flags: c_uint, node: c_int) -> *mut u8 {
    answer(core_alloc::kmalloc(size, flags, node))
}

/// `kmalloc_array`.
#[unsafe(no_mangle)]
extern "C" fn slub_kmalloc_array(count: usize, size: usize, flags: c_uint) -> *mut u8 {
    answer(core_alloc::kcalloc(count, size, flags))
}

/// `kcalloc`.
#[unsafe(no_mangle)]
extern "C" fn slub_kcalloc(count: usize, size: usize, flags: c_uint) -> *mut u8 {
    answer(core_alloc::kcalloc(count, size, flags | ZERO))
}

/// `krealloc`.
///
/// # Safety
///
/// The block is in use, and after a success its old address is not used.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_krealloc(block: *mut u8, size: usize, flags: c_uint) -> *mut u8 {
    // SAFETY: the caller's promise.
    answer(unsafe { core_alloc::krealloc(block, size, flags) })
}

/// `kfree`. Keeps `errno`.
///
/// # Safety
///
/// Nobody uses the block any more.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kfree(block: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { core_alloc::kfree(block) };
}

/// `kfree_sensitive`.
///
/// # Safety
///
/// As for `slub_kfree`.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kfree_sensitive(block: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { core_alloc::kfree_sensitive(block) };
}

/// `ksize`.
#[unsafe(no_mangle)]
extern "C" fn slub_ksize(block: *const u8) -> usize {
    core_alloc::ksize(block)
}

/// `kvmalloc`.
#[unsafe(no_mangle)]
extern "C" fn slub_kvmalloc(size: usize, flags: c_uint) -> *mut u8 {
    answer(core_alloc::kmalloc(size, flags, -1))
}

/// `kvfree`.
///
/// # Safety
///
/// As for `slub_kfree`.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kvfree(block: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { core_alloc::kfree(block) };
}

/// `kstrdup`.
///
/// # Safety
///
/// `text` is null or a string.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kstrdup(text: *const c_char, flags: c_uint) -> *mut u8 {
    if text.is_null() {
        return null_mut();
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    answer(core_alloc::kmemdup(text.to_bytes_with_nul(), flags))
}

/// `kmemdup`.
///
/// # Safety
///
/// `source` has `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_kmemdup(source: *const c_void, length: usize, flags: c_uint) -> *mut u8 {
    let Some(source) = NonNull::new(source.cast_mut()).filter(|_| isize::try_from(length).is_ok())
    else {
        // Nothing to copy, or more than there is memory.
        return answer(core_alloc::kmalloc(length, flags, -1));
    };
    // SAFETY: the caller's promise.
    let bytes = unsafe { core::slice::from_raw_parts(source.as_ptr().cast(), length) };
    answer(core_alloc::kmemdup(bytes, flags))
}

/// `vmalloc`.
#[unsafe(no_mangle)]
extern "C" fn slub_vmalloc(size: usize) -> *mut u8 {
    or_enomem(core_alloc::vmalloc(size, false))
}

/// `vzalloc`.
#[unsafe(no_mangle)]
extern "C" fn slub_vzalloc(size: usize) -> *mut u8 {
    or_enomem(core_alloc::vmalloc(size, true))
}

/// `vfree`.
///
/// # Safety
///
/// As for `slub_kfree`.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_vfree(block: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { core_alloc::kfree(block) };
}

/// `alloc_pages`: a handle.
#[unsafe(no_mangle)]
extern "C" fn slub_alloc_pages(flags: c_uint, order: c_uint) -> *mut u8 {
    handle_of(answer(core_alloc::alloc_pages(flags, order)))
}

/// `__free_pages`.
///
/// # Safety
///
/// As for `slub_kfree`.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub___free_pages(page: *mut u8, order: c_uint) {
    // SAFETY: the caller's promise.
    unsafe { core_alloc::free_pages(address_of(page), order) };
}

/// `__get_free_pages`.
#[unsafe(no_mangle)]
extern "C" fn slub___get_free_pages(flags: c_uint, order: c_uint) -> c_ulong {
    answer(core_alloc::alloc_pages(flags, order)).addr() as c_ulong
}

/// `get_zeroed_page`.
#[unsafe(no_mangle)]
extern "C" fn slub_get_zeroed_page(flags: c_uint) -> c_ulong {
    answer(core_alloc::alloc_pages(flags | ZERO, 0)).addr() as c_ulong
}

/// `free_pages`.
///
/// # Safety
///
/// As for `slub_kfree`.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_free_pages(address: c_ulong, order: c_uint) {
    let start = core::ptr::with_exposed_provenance_mut(address as usize);
    // SAFETY: the caller's promise.
    unsafe { core_alloc::free_pages(start, order) };
}

/// `alloc_pages_exact`.
#[unsafe(no_mangle)]
extern "C" fn slub_alloc_pages_exact(size: usize, flags: c_uint) -> *mut u8 {
    answer(core_alloc::alloc_pages_exact(size, flags))
}

/// `free_pages_exact`.
///
/// # Safety
///
/// As for `slub_kfree`.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_free_pages_exact(start: *mut u8, size: usize) {
    let bytes = size.checked_next_multiple_of(PAGE).unwrap_or(usize::MAX);
    // SAFETY: the caller's promise.
    unsafe { core_alloc::free_pages_exact(start, bytes) };
}

/// `page_address`.
#[unsafe(no_mangle)]
extern "C" fn slub_page_address(page: *mut u8) -> *mut u8 {
    address_of(page)
}

/// `virt_to_page`.
#[unsafe(no_mangle)]
extern "C" fn slub_virt_to_page(address: *mut u8) -> *mut u8 {
    handle_of(address.map_addr(|address| address & !(PAGE - 1)))
}

/// The order of the block that begins with a page.
#[unsafe(no_mangle)]
extern "C" fn slub_page_order(page: *mut u8) -> c_uint {
    core_alloc::page_order(address_of(page))
}

/// `page_to_nid`.
#[unsafe(no_mangle)]
extern "C" fn slub_page_to_nid(page: *mut u8) -> c_int {
    core_alloc::node_of(address_of(page)).map_or(-1, c_int::from)
}

/// `slubmalloc_alloc_at_least`.
///
/// # Safety
///
/// `usable` may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn slubmalloc_alloc_at_least(size: usize, usable: *mut usize) -> *mut u8 {
    let (block, bytes) = core_alloc::alloc_at_least(size);
    if !block.is_null() {
        // SAFETY: the caller's promise.
        unsafe { usable.write(bytes) };
    }
    or_enomem(block)
}

fn handle_of(start: *mut u8) -> *mut u8 {
    match start.is_null() {
        true => start,
        false => start.map_addr(|address| address | HANDLE),
    }
}

fn address_of(page: *mut u8) -> *mut u8 {
    page.map_addr(|address| address & !HANDLE)
}

fn answer(block: Result<NonNull<u8>, KmemError>) -> *mut u8 {
    match block {
        Ok(block) => block.as_ptr(),
        Err(why) => refuse(crate::kmem::errno_of(why)),
    }
}
