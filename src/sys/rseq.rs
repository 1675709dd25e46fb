//! The node of the running CPU, as the kernel keeps it in a thread's rseq area: a load instead of a
//! system call.
//!
//! The C library registers the area; we only read it, if the kernel says that it fills the field
//! (Linux 6.3, `Documentation/userspace-api/rseq.rst`; glibc 2.35 exports where the area is).

use once_cell::race::OnceNonZeroUsize;

use super::tls;

/// `struct rseq`: where the node stands, and how long the kernel's part must be for it.
const NODE_OFFSET: usize = 20;
const NODE_END: usize = 24;
const AT_RSEQ_FEATURE_SIZE: libc::c_ulong = 27;
/// An offset that no area has, for "there is none".
const NOWHERE: usize = 1;

/// The node that runs the caller; `None` where nobody keeps it.
pub(super) fn node() -> Option<u32> {
    let offset = offset_of_area()?;
    // SAFETY: glibc says that the calling thread's area is there, and the kernel that it fills the
    // field, which it may change at any time.
    Some(unsafe {
        core::ptr::with_exposed_provenance::<u32>(
            tls::thread_id().wrapping_add(offset) + NODE_OFFSET,
        )
        .read_volatile()
    })
}

/// Where a thread's area is, from its thread pointer.
fn offset_of_area() -> Option<usize> {
    static OFFSET: OnceNonZeroUsize = OnceNonZeroUsize::new();
    let probe = || {
        let offset = find().filter(|offset| *offset != 0).unwrap_or(NOWHERE);
        core::num::NonZeroUsize::new(offset).unwrap_or(core::num::NonZeroUsize::MIN)
    };
    Some(OFFSET.get_or_init(probe).get()).filter(|offset| *offset != NOWHERE)
}

fn find() -> Option<usize> {
    let (offset, size) = (weak!("__rseq_offset"), weak!("__rseq_size"));
    if offset == 0 || size == 0 {
        return None;
    }
    // SAFETY: gives the address of the calling thread's variable.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: that address.
    let kept = unsafe { errno.read() };
    // SAFETY: getauxval(3) reads memory that the kernel filled before the first instruction.
    let filled = unsafe { libc::getauxval(AT_RSEQ_FEATURE_SIZE) } as usize;
    // It says there what an older kernel does not have; `free` must not.
    // SAFETY: as above.
    unsafe { errno.write(kept) };
    // SAFETY: an unsigned int of glibc's; 0 means that no area is registered.
    let registered = unsafe { core::ptr::with_exposed_provenance::<u32>(size).read() };
    if registered == 0 || filled < NODE_END {
        return None;
    }
    // SAFETY: a `ptrdiff_t` of glibc's.
    Some(unsafe { core::ptr::with_exposed_provenance::<usize>(offset).read() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_the_kernel_answers() {
        let mut asked: u32 = 0;
        let arguments = [0, (&raw mut asked) as usize, 0, 0, 0, 0];
        // SAFETY: the kernel writes one unsigned int.
        let answer = unsafe { crate::sys::syscall::call(libc::SYS_getcpu, arguments) };
        // On a machine with several nodes this thread may move between the two.
        if let Some(kept) = node().filter(|_| answer.is_ok()) {
            assert!(kept == asked || kept < 64);
        }
    }
}
