//! Transparent huge pages: what is advised, and what is there. madvise(2), mincore(2) and the kernel's
//! `Documentation/admin-guide/mm/transhuge.rst`.

use super::syscall::call;

/// Pages of 4 KiB in a huge page.
const PAGES: usize = 512;

/// Whether the kernel is to back memory with huge pages, where its own setting leaves that open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HugePages {
    /// As it is set for the system.
    System,
    /// For what is dense, where that is little waste.
    Auto,
    /// Never.
    Never,
    /// Wherever it can.
    Always,
}

/// Pages of a range, as long as a huge page at most, that have memory; 0 where the kernel does not tell.
pub(super) fn present_pages(address: usize, bytes: usize) -> usize {
    let mut pages = [0_u8; PAGES];
    debug_assert!(bytes <= PAGES << 12);
    let arguments = [address, bytes, pages.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel writes a byte for each page of the range, of which there is one in `pages`.
    let answer = unsafe { call(libc::SYS_mincore, arguments) };
    match answer.is_ok() {
        true => pages.iter().filter(|page| **page & 1 != 0).count(),
        false => 0,
    }
}

/// Tells the kernel whether to back a range with huge pages; one without them refuses, which changes
/// nothing.
pub(super) fn advise(address: usize, bytes: usize, wanted: HugePages) {
    let advice = match wanted {
        HugePages::System | HugePages::Auto => return,
        HugePages::Never => libc::MADV_NOHUGEPAGE,
        HugePages::Always => libc::MADV_HUGEPAGE,
    };
    let arguments = [address, bytes, advice as usize, 0, 0, 0];
    // SAFETY: the advice changes no content.
    let _ = unsafe { call(libc::SYS_madvise, arguments) };
}
