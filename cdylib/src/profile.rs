//! The heap profile, as `slubmalloc.h` describes it.

use core::ffi::{CStr, c_char, c_int};

use slubmalloc_core::raw::{self as core_alloc, NotWritten};

use crate::errno::refuse;

/// Switches the profile on or off; 0, or -1.
#[unsafe(no_mangle)]
extern "C" fn slubmalloc_profile(rate: usize) -> c_int {
    match core_alloc::profile_set((rate != 0).then_some(rate)) {
        true => 0,
        false => failure(libc::EINVAL),
    }
}

/// Writes the profile to a file; 0, or -1.
///
/// # Safety
///
/// `path` is null or a string.
#[unsafe(no_mangle)]
unsafe extern "C" fn slubmalloc_profile_dump(path: *const c_char) -> c_int {
    if path.is_null() {
        return failure(libc::EINVAL);
    }
    // SAFETY: the caller's promise.
    let path = unsafe { CStr::from_ptr(path) };
    match core_alloc::profile_dump(path) {
        Ok(()) => 0,
        Err(NotWritten::NeverOn) => failure(libc::ENODATA),
        Err(NotWritten::File(error)) => failure(error),
    }
}

fn failure(error: c_int) -> c_int {
    let _ = refuse(error);
    -1
}
