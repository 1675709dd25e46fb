//! The running CPU and its node, as the kernel keeps them in a thread's rseq area: a load instead of a
//! system call.
//!
//! The C library registers the area; we only read it, the node if the kernel says that it fills the field
//! (Linux 6.3, `Documentation/userspace-api/rseq.rst`; glibc 2.35 exports where the area is).

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use once_cell::race::OnceNonZeroUsize;

use super::tls;

/// `struct rseq`: where the CPU stands, from the first kernel on that has any of this.
const CPU_OFFSET: usize = 4;
/// Where the node stands, and how long the kernel's part must be for it.
const NODE_OFFSET: usize = 20;
const NODE_END: usize = 24;
const AT_RSEQ_FEATURE_SIZE: libc::c_ulong = 27;
/// An offset that no area has, for "there is none".
const NOWHERE: usize = 1;

/// The addresses of `__rseq_offset` and `__rseq_size` for the build that cannot import them.
static KNOWN: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

/// Tells the addresses of `__rseq_offset` and `__rseq_size`, 0 for none, where they could not be imported.
#[doc(hidden)]
pub fn know_rseq(addresses: [usize; 2]) {
    for (known, address) in KNOWN.iter().zip(addresses) {
        // ORDERING: relaxed, the variables were there before this library.
        known.store(address, Relaxed);
    }
}

/// The node that runs the caller; `None` where nobody keeps it.
pub(super) fn node() -> Option<u32> {
    (filled() >= NODE_END).then(|| field(NODE_OFFSET))?
}

/// The CPU that runs the caller; `None` where nobody keeps it.
pub(super) fn cpu() -> Option<u32> {
    // A thread that is not registered has a negative number there.
    field(CPU_OFFSET).filter(|cpu| cpu.cast_signed() >= 0)
}

/// A number of the calling thread's area.
fn field(offset_in_area: usize) -> Option<u32> {
    let offset = offset_of_area()?;
    // SAFETY: glibc says that the calling thread's area is there, and the caller that the kernel fills the
    // field, which it may change at any time.
    Some(unsafe {
        core::ptr::with_exposed_provenance::<u32>(
            tls::thread_id().wrapping_add(offset) + offset_in_area,
        )
        .read_volatile()
    })
}

/// How many bytes of an area the kernel says that it fills; one that says nothing fills the first.
fn filled() -> usize {
    static FILLED: OnceNonZeroUsize = OnceNonZeroUsize::new();
    let ask = || {
        // SAFETY: gives the address of the calling thread's variable.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: that address.
        let kept = unsafe { errno.read() };
        // SAFETY: getauxval(3) reads memory that the kernel filled before the first instruction.
        let filled = unsafe { libc::getauxval(AT_RSEQ_FEATURE_SIZE) } as usize;
        // It says there what an older kernel does not have; `free` must not.
        // SAFETY: as above.
        unsafe { errno.write(kept) };
        core::num::NonZeroUsize::new(filled).unwrap_or(core::num::NonZeroUsize::MIN)
    };
    FILLED.get_or_init(ask).get()
}

/// Where a thread's area is, from its thread pointer.
fn offset_of_area() -> Option<usize> {
    static OFFSET: OnceNonZeroUsize = OnceNonZeroUsize::new();
    if addresses().0 == 0 {
        // There is none, or nobody has told of it yet.
        return None;
    }
    let probe = || {
        let offset = find().filter(|offset| *offset != 0).unwrap_or(NOWHERE);
        core::num::NonZeroUsize::new(offset).unwrap_or(core::num::NonZeroUsize::MIN)
    };
    Some(OFFSET.get_or_init(probe).get()).filter(|offset| *offset != NOWHERE)
}

/// The addresses of `__rseq_offset` and `__rseq_size`.
fn addresses() -> (usize, usize) {
    // ORDERING: relaxed, as above.
    let [offset, size] = KNOWN.each_ref().map(|known| known.load(Relaxed));
    let imported = (weak!("__rseq_offset"), weak!("__rseq_size"));
    if imported.0 == 0 {
        (offset, size)
    } else {
        imported
    }
}

fn find() -> Option<usize> {
    let (offset, size) = addresses();
    if offset == 0 || size == 0 {
        return None;
    }
    // SAFETY: an unsigned int of glibc's; 0 means that no area is registered.
    let registered = unsafe { core::ptr::with_exposed_provenance::<u32>(size).read() };
    if registered == 0 {
        return None;
    }
    // SAFETY: a `ptrdiff_t` of glibc's.
    Some(unsafe { core::ptr::with_exposed_provenance::<usize>(offset).read() })
}

#[cfg(not(simulated))]
#[cfg(test)]
mod tests {
    use super::*;

    /// The node and the CPU that run the caller, as the kernel answers.
    fn asked() -> (u32, u32) {
        let (mut cpu, mut node) = (u32::MAX, u32::MAX);
        let arguments = [
            (&raw mut cpu) as usize,
            (&raw mut node) as usize,
            0,
            0,
            0,
            0,
        ];
        // SAFETY: the kernel writes two unsigned ints.
        let answer = unsafe { crate::sys::syscall::call(libc::SYS_getcpu, arguments) };
        assert!(answer.is_ok());
        (node, cpu)
    }

    #[test]
    fn what_is_kept_is_what_the_kernel_answers() {
        // A thread may move between the two, so one of many tries has to fit.
        let fits = |_| {
            let before = asked();
            let kept = (node(), cpu());
            before == asked() && kept == (Some(before.0), Some(before.1))
        };
        assert_eq!((0..1_000).any(fits), is_kept());
    }

    /// Whether glibc and the kernel are new enough.
    fn is_kept() -> bool {
        // SAFETY: reads memory that the kernel filled before the first instruction.
        let filled = unsafe { libc::getauxval(AT_RSEQ_FEATURE_SIZE) } as usize;
        let (offset, size) = addresses();
        filled >= NODE_END && offset != 0 && size != 0
    }
}
