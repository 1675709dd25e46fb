//! `errno`, which only the C face knows.

/// Stores `error` and gives null, the answer of a function that has no memory to give.
#[cold]
pub(crate) fn refuse(error: i32) -> *mut u8 {
    // SAFETY: libc's own thread-local slot, valid for the thread's life.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { errno.write(error) };
    core::ptr::null_mut()
}

/// Passes `block` on; null means `ENOMEM`.
#[inline(always)]
pub(crate) fn or_enomem(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        refuse(libc::ENOMEM)
    } else {
        block
    }
}
