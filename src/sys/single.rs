//! Whether the process has one thread, as libc knows it.

use core::ffi::c_char;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// libc's variable, where it had to be looked up.
static KNOWN: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());

/// Tells the address of `__libc_single_threaded`, 0 for none, where it could not be imported.
#[doc(hidden)]
pub fn know_single_threaded(address: usize) {
    // ORDERING: relaxed, the variable was there before this library.
    KNOWN.store(core::ptr::with_exposed_provenance_mut(address), Relaxed);
}

/// Whether the process has never had a second thread; `false` where libc does not say. See `__libc_single_threaded` in the
/// manual of glibc, since 2.32.
pub(crate) fn is_single_threaded() -> bool {
    let imported = weak!("__libc_single_threaded");
    let flag = match imported {
        // ORDERING: relaxed, as above.
        0 => KNOWN.load(Relaxed).cast_const(),
        _ => core::ptr::with_exposed_provenance(imported),
    };
    // SAFETY: null, or libc's variable, which is there for ever and changes only when this thread starts another one.
    !flag.is_null() && unsafe { flag.read_volatile() } != 0
}
