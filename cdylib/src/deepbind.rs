//! `dlopen` and `dlmopen` without `RTLD_DEEPBIND`. A plug-in that is opened with that flag looks into libc before it
//! looks into the preloaded library, and then frees with glibc's `free` what our `malloc` made.
//!
//! # Invariant
//!
//! Both end in a jump, so the loader sees the caller's return address, from which it knows whose `RUNPATH`, `$ORIGIN` and
//! namespace apply. They work before any constructor of ours has run.

#[cfg_attr(target_arch = "x86_64", path = "deepbind/x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "deepbind/aarch64.rs")]
mod exports;

use core::ffi::{CStr, c_char, c_int, c_long, c_void};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::loader;

/// The loader's own functions, 0 until they are needed.
// ORDERING: relaxed; every thread finds the same address.
static REAL_DLOPEN: AtomicUsize = AtomicUsize::new(0);
static REAL_DLMOPEN: AtomicUsize = AtomicUsize::new(0);

/// Where to jump to, and with which flags; returned in two registers.
#[repr(C)]
struct Jump {
    to: usize,
    mode: usize,
}

extern "C" fn prepare_dlopen(file: *const c_char, mode: c_int) -> Jump {
    Jump {
        to: real(&REAL_DLOPEN, c"dlopen"),
        mode: without_deepbind(file, mode),
    }
}

extern "C" fn prepare_dlmopen(namespace: c_long, file: *const c_char, mode: c_int) -> Jump {
    let mode = if namespace == libc::LM_ID_BASE {
        without_deepbind(file, mode)
    } else {
        mode as usize
    };
    Jump {
        to: real(&REAL_DLMOPEN, c"dlmopen"),
        mode,
    }
}

/// Returns the flags to pass on.
fn without_deepbind(file: *const c_char, mode: c_int) -> usize {
    if mode & libc::RTLD_DEEPBIND == 0 || file.is_null() {
        return mode as usize;
    }
    // SAFETY: dlopen(3)'s contract: a path.
    let path = unsafe { CStr::from_ptr(file) };
    if slubmalloc_core::keeps_deepbind(path.to_bytes()) {
        mode as usize
    } else {
        (mode & !libc::RTLD_DEEPBIND) as usize
    }
}

/// Returns the address of the loader's function of that name.
#[cold]
fn real(place: &AtomicUsize, name: &CStr) -> usize {
    let known = place.load(Relaxed);
    if known != 0 {
        return known;
    }
    let found = match loader::next(name) {
        0 => fails as *const () as usize,
        found => found,
    };
    place.store(found, Relaxed);
    found
}

/// Stands for a function that the C library does not have.
extern "C" fn fails() -> *mut c_void {
    core::ptr::null_mut()
}
