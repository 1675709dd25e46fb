//! The calls that give memory other properties. They stay with the addresses, and the next block there would inherit
//! them, so the heap must be notified.
//!
//! Each is the system call of the same name, as in glibc; the heap is told first.

use core::ffi::{c_int, c_uint, c_void};

use slubmalloc_core::raw::property_change;

/// Advice that says something about the pages and nothing about what becomes of them later.
const PASSING: [c_int; 8] = [
    libc::MADV_WILLNEED,
    libc::MADV_DONTNEED,
    libc::MADV_FREE,
    libc::MADV_COLD,
    libc::MADV_PAGEOUT,
    libc::MADV_POPULATE_READ,
    libc::MADV_POPULATE_WRITE,
    // MADV_COLLAPSE
    25,
];

/// madvise(2).
///
/// # Safety
///
/// As for the system call.
#[unsafe(no_mangle)]
unsafe extern "C" fn madvise(start: *mut c_void, bytes: usize, advice: c_int) -> c_int {
    if !PASSING.contains(&advice) {
        property_change(start as usize, bytes);
    }
    // SAFETY: the caller's promise.
    unsafe { libc::syscall(libc::SYS_madvise, start, bytes, advice) as c_int }
}

/// mprotect(2).
///
/// # Safety
///
/// As for the system call.
#[unsafe(no_mangle)]
unsafe extern "C" fn mprotect(start: *mut c_void, bytes: usize, access: c_int) -> c_int {
    property_change(start as usize, bytes);
    // SAFETY: the caller's promise.
    unsafe { libc::syscall(libc::SYS_mprotect, start, bytes, access) as c_int }
}

/// pkey_mprotect(2).
///
/// # Safety
///
/// As for the system call.
#[unsafe(no_mangle)]
unsafe extern "C" fn pkey_mprotect(
    start: *mut c_void,
    bytes: usize,
    access: c_int,
    key: c_int,
) -> c_int {
    property_change(start as usize, bytes);
    // SAFETY: the caller's promise.
    unsafe { libc::syscall(libc::SYS_pkey_mprotect, start, bytes, access, key) as c_int }
}

/// mlock(2).
///
/// # Safety
///
/// As for the system call.
#[unsafe(no_mangle)]
unsafe extern "C" fn mlock(start: *const c_void, bytes: usize) -> c_int {
    property_change(start as usize, bytes);
    // SAFETY: the caller's promise.
    unsafe { libc::syscall(libc::SYS_mlock, start, bytes) as c_int }
}

/// mlock2(2).
///
/// # Safety
///
/// As for the system call.
#[unsafe(no_mangle)]
unsafe extern "C" fn mlock2(start: *const c_void, bytes: usize, flags: c_uint) -> c_int {
    property_change(start as usize, bytes);
    // SAFETY: the caller's promise.
    unsafe { libc::syscall(libc::SYS_mlock2, start, bytes, flags) as c_int }
}

/// mseal(2), number 462 on all architectures.
///
/// # Safety
///
/// As for the system call.
#[unsafe(no_mangle)]
unsafe extern "C" fn mseal(start: *mut c_void, bytes: usize, flags: usize) -> c_int {
    property_change(start as usize, bytes);
    // SAFETY: the caller's promise.
    unsafe { libc::syscall(462, start, bytes, flags) as c_int }
}
