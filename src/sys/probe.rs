//! Facts that do not change while the process lives, asked once.

use core::num::NonZeroUsize;
use once_cell::race::{OnceBool, OnceNonZeroUsize};

/// The operating system's page in bytes: 4, 16 or 64 KiB.
pub fn page_size() -> usize {
    static PAGE: OnceNonZeroUsize = OnceNonZeroUsize::new();
    // The auxiliary vector is memory; sysconf(3) would do the same with more steps.
    if cfg!(simulated) {
        return 4096;
    }
    let probe = || {
        // SAFETY: getauxval(3) reads memory that the kernel filled before the first instruction.
        let bytes = unsafe { libc::getauxval(libc::AT_PAGESZ) } as usize;
        NonZeroUsize::new(bytes).unwrap_or(const { NonZeroUsize::new(4096).unwrap() })
    };
    PAGE.get_or_init(probe).get()
}

/// Whether the program runs with rights its caller has not, so the environment is not to be trusted.
pub(crate) fn is_privileged() -> bool {
    static PRIVILEGED: OnceBool = OnceBool::new();
    // SAFETY: as above.
    PRIVILEGED.get_or_init(|| unsafe { libc::getauxval(libc::AT_SECURE) } != 0)
}

/// Whether the file that is mapped from `base` on has code for these addresses only, as its ELF header says.
pub(crate) fn is_at_fixed_address(base: usize) -> bool {
    const TYPE: usize = 16;
    let kind = core::ptr::with_exposed_provenance::<u16>(base + TYPE);
    // SAFETY: the beginning of a mapped file that is run.
    unsafe { kind.read() == libc::ET_EXEC }
}
