//! The unwinder, compiled into a test or a bench, with what it needs of the floor `sys`.

#[expect(unused_macros, reason = "only the library asks what is linked")]
#[macro_use]
#[path = "../../src/sys/weak.rs"]
mod weak;
#[expect(
    dead_code,
    reason = "there are more answers than the unwinder asks for"
)]
#[path = "../../src/sys/syscall.rs"]
mod syscall;
#[expect(unreachable_pub, reason = "the library offers more")]
#[path = "../../src/sys/unwind/mod.rs"]
mod unwind;

pub(crate) use unwind::{backtrace, know_find_object, own_code};

/// Calls that nothing refuses.
#[cfg(test)]
mod faults {
    pub(super) use super::syscall::raw as call;

    pub(super) fn ask(function: impl FnOnce() -> i32) -> i32 {
        function()
    }
}
