//! `errno`, which what the C library does for us must leave alone.

/// Runs `run` and puts `errno` back as it was.
pub(super) fn kept<T>(run: impl FnOnce() -> T) -> T {
    // SAFETY: gives the address of a number of this thread's.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { errno.read() };
    let answer = run();
    // SAFETY: as above.
    unsafe { errno.write(before) };
    answer
}
