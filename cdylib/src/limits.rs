//! setrlimit(2) and prlimit(2), of which the heap must be notified: it has reserved more addresses than a limit may leave.
//!
//! They are the system call of the same name, as in glibc, and after it reserved addresses go back. On machines of 64
//! bits both kinds of the structure are the same.

use core::ffi::c_int;

use libc::{pid_t, rlimit64};

/// setrlimit(2).
///
/// # Safety
///
/// The kernel reads `new`.
#[unsafe(no_mangle)]
unsafe extern "C" fn setrlimit(resource: c_int, new: *const rlimit64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { change(0, resource, new, core::ptr::null_mut()) }
}

/// The same under its name for large files.
///
/// # Safety
///
/// As for [`setrlimit`].
#[unsafe(no_mangle)]
unsafe extern "C" fn setrlimit64(resource: c_int, new: *const rlimit64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { change(0, resource, new, core::ptr::null_mut()) }
}

/// prlimit(2).
///
/// # Safety
///
/// The kernel reads `new` and writes `old`, if they are not null.
#[unsafe(no_mangle)]
unsafe extern "C" fn prlimit(
    process: pid_t,
    resource: c_int,
    new: *const rlimit64,
    old: *mut rlimit64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { change(process, resource, new, old) }
}

/// The same under its name for large files.
///
/// # Safety
///
/// As for [`prlimit`].
#[unsafe(no_mangle)]
unsafe extern "C" fn prlimit64(
    process: pid_t,
    resource: c_int,
    new: *const rlimit64,
    old: *mut rlimit64,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { change(process, resource, new, old) }
}

unsafe fn change(
    process: pid_t,
    resource: c_int,
    new: *const rlimit64,
    old: *mut rlimit64,
) -> c_int {
    // SAFETY: the caller's promise.
    let answer = unsafe { libc::syscall(libc::SYS_prlimit64, process, resource, new, old) };
    if answer == 0 && !new.is_null() && resource as u32 == libc::RLIMIT_AS {
        slubmalloc_core::raw::address_limit_changed(process);
    }
    answer as c_int
}
