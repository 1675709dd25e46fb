//! What a traced thread reports, and letting it go on with a signal.
//!
//! # Invariant
//!
//! No signal is lost: real-time signals, for which nix has no names, are passed on by number as all others are.
#![expect(
    unsafe_code,
    reason = "waitpid and ptrace with real-time signals have no safe interface"
)]

use nix::libc;

/// Why a thread reports to its tracer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It has stopped, as it was told to or because its whole process has.
    Stop,
    /// It is about to take this signal.
    Signal(i32),
    /// It has ended, or is traced no more.
    End,
}

/// What a thread reports; `None` if that is nothing yet.
pub(crate) fn next_event(thread: i32) -> Option<Event> {
    let mut status = 0;
    // SAFETY: the kernel writes to `status` only.
    match unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL | libc::WNOHANG) } {
        0 => None,
        found if found == thread && libc::WIFSTOPPED(status) => Some(match status >> 16 {
            libc::PTRACE_EVENT_STOP => Event::Stop,
            _ => Event::Signal(libc::WSTOPSIG(status)),
        }),
        _ => Some(Event::End),
    }
}

/// Lets a stopped thread go on with a signal.
pub(crate) fn go_on(thread: i32, signal: i32) {
    let signal = libc::c_long::from(signal);
    // SAFETY: this request reads and writes no memory. One that ends meanwhile is reported as such.
    unsafe { libc::ptrace(libc::PTRACE_CONT, thread, 0, signal) };
}
