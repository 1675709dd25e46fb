//! Transparent huge pages: what is advised, and what is there. madvise(2), mincore(2) and the kernel's
//! `Documentation/admin-guide/mm/transhuge.rst`.

use core::ptr::NonNull;

use super::Region;
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

impl Region {
    /// Tells the kernel whether huge pages are wanted from the offset `start` on.
    pub(crate) fn want_huge_pages(&mut self, wanted: HugePages, start: usize) {
        self.huge_pages = (wanted, start);
        self.advise(0, self.bytes());
    }

    /// What was said of huge pages for all of it.
    pub(crate) fn huge_pages(&self) -> HugePages {
        self.huge_pages.0
    }

    /// Tells the kernel whether a part may be backed with huge pages.
    pub(crate) fn set_huge_pages(&self, start: usize, end: usize, is_dense: bool) {
        let wanted = [HugePages::Never, HugePages::Always][usize::from(is_dense)];
        advise(self.at(start), end - start, wanted);
    }

    /// Gives the advice about huge pages for a part.
    pub(super) fn advise(&self, start: usize, end: usize) {
        let wanted = match self.huge_pages.0 {
            HugePages::Auto => HugePages::Never,
            wanted => wanted,
        };
        let start = start.max(self.huge_pages.1).min(end);
        advise(self.at(start), end - start, wanted);
    }

    /// Pages of a part, as long as a huge page at most, that have memory; 0 where the kernel does not tell.
    pub(crate) fn present_pages(&self, start: usize, end: usize) -> usize {
        let mut pages = [0_u8; PAGES];
        debug_assert!(end - start <= PAGES << 12);
        let address = self.at(start).as_ptr() as usize;
        let arguments = [address, end - start, pages.as_mut_ptr() as usize, 0, 0, 0];
        // SAFETY: the kernel writes a byte for each page of the range, of which there is one in `pages`.
        let answer = unsafe { call(libc::SYS_mincore, arguments) };
        match answer.is_ok() {
            true => pages.iter().filter(|page| **page & 1 != 0).count(),
            false => 0,
        }
    }
}

/// Tells the kernel whether to back a range with huge pages; one without them refuses, which changes
/// nothing.
pub(super) fn advise(start: NonNull<u8>, bytes: usize, wanted: HugePages) {
    let advice = match wanted {
        HugePages::System | HugePages::Auto => return,
        HugePages::Never => libc::MADV_NOHUGEPAGE,
        HugePages::Always => libc::MADV_HUGEPAGE,
    };
    let arguments = [start.as_ptr() as usize, bytes, advice as usize, 0, 0, 0];
    // SAFETY: the advice changes no content.
    let _ = unsafe { call(libc::SYS_madvise, arguments) };
}
