//! Pages that fault: by guard markers in the page tables where the kernel has them (Linux 6.13, `MADV_GUARD_INSTALL`
//! in madvise(2)), else by mappings without access.

use super::syscall::call;
use super::{Mapping, Region, page_size};

const MADV_GUARD_INSTALL: usize = 102;
const MADV_GUARD_REMOVE: usize = 103;

/// How pages are made to fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fence {
    has_markers: bool,
}

impl Fence {
    /// The best way that the kernel has.
    pub(crate) fn probe() -> Self {
        let Some(page) = Mapping::new(page_size(), 1) else {
            return Self { has_markers: false };
        };
        let has_markers = advise(page.address(), page.bytes(), MADV_GUARD_INSTALL);
        page.unmap();
        Self { has_markers }
    }

    /// The way that every kernel has.
    #[cfg(test)]
    pub(super) fn of_mappings() -> Self {
        Self { has_markers: false }
    }

    /// Whether each closed range is a mapping of its own, of which a process may not have very many.
    pub(crate) fn is_costly(&self) -> bool {
        !self.has_markers
    }

    /// Makes committed pages of a region fault; what they held is gone. Whether that was possible.
    pub(crate) fn close(&self, region: &Region, start: usize, end: usize) -> bool {
        let (address, bytes) = (region.address() + start, end - start);
        if self.has_markers {
            return advise(address, bytes, MADV_GUARD_INSTALL);
        }
        region.purge(start, end) && protect(address, bytes, libc::PROT_NONE)
    }

    /// Makes closed pages accessible again; they hold zeroes.
    pub(crate) fn open(&self, region: &Region, start: usize, end: usize) -> bool {
        let (address, bytes) = (region.address() + start, end - start);
        if self.has_markers {
            return advise(address, bytes, MADV_GUARD_REMOVE);
        }
        protect(address, bytes, libc::PROT_READ | libc::PROT_WRITE)
    }
}

fn advise(address: usize, bytes: usize, advice: usize) -> bool {
    let arguments = [address, bytes, advice, 0, 0, 0];
    // SAFETY: both callers own the range and need its content no more.
    unsafe { call(libc::SYS_madvise, arguments) }.is_ok()
}

fn protect(address: usize, bytes: usize, access: i32) -> bool {
    let arguments = [address, bytes, access as usize, 0, 0, 0];
    // SAFETY: as above.
    unsafe { call(libc::SYS_mprotect, arguments) }.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_closed_and_opened_again_holds_zeroes() {
        let page = page_size();
        let region = Region::reserve(4 * page, 0, page).unwrap();
        assert!(region.commit(0, 4 * page));
        for fence in [Fence::probe(), Fence::of_mappings()] {
            // SAFETY: the page is committed and open.
            unsafe { region.at(page).write(7) };
            assert!(fence.close(&region, page, 3 * page));
            assert!(fence.open(&region, page, 3 * page));
            // SAFETY: as above.
            assert_eq!(unsafe { region.at(page).read() }, 0);
        }
    }
}
