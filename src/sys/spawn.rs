//! A program that is run while the calling thread waits for it. posix_spawn(3).

use core::ffi::{CStr, c_char};
use core::mem::MaybeUninit;

use super::errno::kept;
use super::syscall::ask;

/// Has the shell run `script` with three arguments, `$0` to `$2`; returns `false` if it did not succeed.
///
/// Nothing is allocated, and no lock of ours is needed: the process may be about to abort.
pub(crate) fn run_shell(script: &CStr, arguments: [&CStr; 3]) -> bool {
    let [zero, one, two] = arguments.map(CStr::as_ptr);
    let (name, option) = (cstr::cstr!("sh").as_ptr(), cstr::cstr!("-c").as_ptr());
    let end = core::ptr::null();
    let arguments = [name, option, script.as_ptr(), zero, one, two, end];
    let environment = [
        cstr::cstr!("PATH=/usr/local/bin:/usr/bin:/bin").as_ptr(),
        end,
    ];
    kept(|| run(&arguments, &environment))
}

fn run(arguments: &[*const c_char; 7], environment: &[*const c_char; 2]) -> bool {
    let mut child = MaybeUninit::<libc::pid_t>::uninit();
    // SAFETY: both lists end with null and hold C strings; without actions posix_spawn(3) allocates nothing.
    let answer = ask(|| unsafe {
        libc::posix_spawn(
            child.as_mut_ptr(),
            cstr::cstr!("/bin/sh").as_ptr(),
            core::ptr::null(),
            core::ptr::null(),
            arguments.as_ptr().cast(),
            environment.as_ptr().cast(),
        )
    });
    if answer != 0 {
        return false;
    }
    // SAFETY: written by the call.
    let child = unsafe { child.assume_init() };
    let mut status = 0;
    // SAFETY: waits for the child and stores how it ended.
    let mut waits = || unsafe { libc::waitpid(child, &raw mut status, 0) };
    // The program may have waited for it already.
    let answer = ask(|| if waits() == child { 0 } else { libc::ECHILD });
    answer != 0 || libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}
