//! A barrier that other threads pass without knowing, see membarrier(2).
#![forbid(unsafe_op_in_unsafe_fn)]

use super::syscall::call;

/// `MEMBARRIER_CMD_PRIVATE_EXPEDITED`, and what registers for it.
const PASS: usize = 1 << 3;
const REGISTER: usize = 1 << 4;

/// Registers the process for [`barrier`], which takes the kernel long once there are several threads. Does nothing where
/// that is not known to be the first.
pub(crate) fn prepare_barrier() {
    let single = core::ptr::with_exposed_provenance::<u8>(crate::weak!("__libc_single_threaded"));
    // SAFETY: the C library's object, where it has one; a byte that it alone writes.
    if !single.is_null() && unsafe { single.read_volatile() } != 0 {
        membarrier(REGISTER);
    }
}

/// Has every thread of the process pass a memory barrier between call and return; `false` where the kernel does not know
/// how.
pub(crate) fn barrier() -> bool {
    membarrier(PASS) || membarrier(REGISTER) && membarrier(PASS)
}

fn membarrier(command: usize) -> bool {
    // SAFETY: changes no memory.
    unsafe { call(libc::SYS_membarrier, [command, 0, 0, 0, 0, 0]) }.is_ok()
}
