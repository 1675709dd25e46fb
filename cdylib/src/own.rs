//! Functions of `slubmalloc.h` that are no other library's: also where another `malloc` serves the program.

use core::ffi::{c_int, c_void};

use slubmalloc_core::raw::{self as core_alloc};

use crate::errno::{or_enomem, refuse};

/// `slubmalloc.h`: the version of the library that serves this process, in the form of `SLUBMALLOC_VERSION`.
#[unsafe(no_mangle)]
extern "C" fn slubmalloc_version() -> c_int {
    const VERSION: c_int = part(env!("CARGO_PKG_VERSION_MAJOR")) * 10_000
        + part(env!("CARGO_PKG_VERSION_MINOR")) * 100
        + part(env!("CARGO_PKG_VERSION_PATCH"));
    VERSION
}

/// One number of a version; two digits at most, so that versions compare as numbers.
const fn part(text: &str) -> c_int {
    let number = match c_int::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => c_int::MAX,
    };
    assert!(number < 100);
    number
}

/// `slubmalloc.h`: a block on a node that the program names. `EINVAL` for a node that threads take no
/// memory from.
#[unsafe(no_mangle)]
extern "C" fn slubmalloc_alloc_onnode(size: usize, node: c_int) -> *mut u8 {
    let node = u8::try_from(node).ok();
    match node.and_then(|node| core_alloc::alloc_onnode(size, node)) {
        Some(block) => or_enomem(block),
        None => refuse(libc::EINVAL),
    }
}

/// `slubmalloc.h`: the node that an address is on, -1 for none of ours.
#[unsafe(no_mangle)]
extern "C" fn slubmalloc_node_of(address: *const c_void) -> c_int {
    core_alloc::node_of(address.cast()).map_or(-1, c_int::from)
}

/// `slubmalloc.h`: frees a block of this library's.
///
/// # Safety
///
/// Nobody uses the block any more.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_free(block: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { core_alloc::free(block) };
}

/// `slubmalloc.h`: changes the size of a block of this library's.
///
/// # Safety
///
/// The block is in use, and after a success its old address is not used.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_realloc(block: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    let new = unsafe { core_alloc::realloc(block, size) };
    // A size of 0 frees the block, which is no failure.
    if size == 0 && !block.is_null() {
        return new;
    }
    or_enomem(new)
}

/// `slubmalloc.h`: the bytes of a block of this library's that may be used.
#[unsafe(no_mangle)]
extern "C" fn slub_usable_size(block: *const u8) -> usize {
    core_alloc::usable_size(block)
}

/// `slubmalloc.h`: gives free memory back to the kernel; 1 if there was any.
#[unsafe(no_mangle)]
extern "C" fn slub_trim() -> c_int {
    c_int::from(core_alloc::trim())
}
