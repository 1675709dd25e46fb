//! A real fork, for tests: what a child finds.

/// Forks; returns the exit code of the child, which is what `child` returns, or -1 if a signal ended it. It has twenty
/// seconds.
pub(crate) fn code_of_child(child: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child does what the test says, and ends.
    let number = unsafe { libc::fork() };
    assert!(number >= 0);
    if number == 0 {
        // SAFETY: a child that waits for ever ends by the signal.
        unsafe { libc::alarm(20) };
        let code = child();
        // SAFETY: ends the child, and leaves the parent's streams alone.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: waits for the child above.
    let waited = unsafe { libc::waitpid(number, &raw mut status, 0) };
    assert_eq!(waited, number);
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        -1
    }
}
