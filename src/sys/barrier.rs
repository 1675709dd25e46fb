//! A barrier that other threads pass without knowing, see membarrier(2).

use core::mem::MaybeUninit;

use super::syscall::call;

/// `MEMBARRIER_CMD_PRIVATE_EXPEDITED`, and what registers for it.
const PASS: usize = 1 << 3;
const REGISTER: usize = 1 << 4;

/// Registers the process for [`barrier`]. Does nothing where there may be several threads: the kernel needs long then.
pub(crate) fn prepare_barrier() {
    if has_one_thread() {
        membarrier(REGISTER);
    }
}

/// Has every thread of the process pass a memory barrier between call and return; `false` where the kernel does not know
/// how.
pub(crate) fn barrier() -> bool {
    membarrier(PASS) || membarrier(REGISTER) && membarrier(PASS)
}

/// Whether the process has one thread: a directory's links are itself, its name, and one for each directory in it.
pub(super) fn has_one_thread() -> bool {
    let path = cstr::cstr!("/proc/self/task");
    let mut facts = MaybeUninit::<libc::stat>::uninit();
    let buffer = facts.as_mut_ptr() as usize;
    let arguments = [
        libc::AT_FDCWD as usize,
        path.as_ptr() as usize,
        buffer,
        0,
        0,
        0,
    ];
    // SAFETY: the kernel reads the path and fills the buffer.
    let answer = unsafe { call(libc::SYS_newfstatat, arguments) };
    // SAFETY: the kernel has filled it.
    answer.is_ok() && unsafe { facts.assume_init() }.st_nlink == 3
}

fn membarrier(command: usize) -> bool {
    // SAFETY: changes no memory.
    unsafe { call(libc::SYS_membarrier, [command, 0, 0, 0, 0, 0]) }.is_ok()
}
