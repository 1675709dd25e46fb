//! What core files hold of a reservation. What the kernel writes leaves out what has no memory; but gdb's `gcore` writes each
//! mapping that is not marked (`MADV_DONTDUMP`), with or without access, and filled disks with zeroes.

use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use super::Region;
use super::syscall::call;

/// What is put into core files is so many times what is needed, so that it seldom happens.
const DUMPED_AHEAD: usize = 4;
impl Region {
    /// Leaves what is behind the first `head` bytes out of core files until it is committed.
    /// Whether the kernel knows how.
    pub(crate) fn leave_out_of_dumps(&mut self, head: usize) -> bool {
        let bytes = self.bytes().saturating_sub(head);
        self.dumped = head.into();
        bytes == 0 || advise(self.at(head), bytes, libc::MADV_DONTDUMP)
    }

    /// Puts what is committed, up to `end`, into core files.
    pub(super) fn put_into_dumps(&self, end: usize) {
        // ORDERING: relaxed, written and read under the lock that commitments are under.
        let dumped = self.dumped.load(Relaxed);
        if end > dumped {
            let wanted = end.saturating_mul(DUMPED_AHEAD).min(self.bytes());
            // A sandbox that lets a heap grow has to know this advice as well; at the end of its addresses it was given six times.
            let _ = advise(self.at(dumped), wanted - dumped, libc::MADV_DODUMP);
            // ORDERING: as above.
            self.dumped.store(wanted, Relaxed);
        }
    }
}

fn advise(start: NonNull<u8>, bytes: usize, advice: i32) -> bool {
    let arguments = [start.as_ptr() as usize, bytes, advice as usize, 0, 0, 0];
    // SAFETY: the advice changes no memory; where it is not taken, core files are larger, or lack a part.
    unsafe { call(libc::SYS_madvise, arguments) }.is_ok()
}

/// Whether a region's second page can be left out.
#[cfg(all(test, not(simulated)))]
pub(super) fn leaves_out_a_part() -> bool {
    let page = super::page_size();
    let region = Region::reserve(2 * page, 0, page);
    region.is_some_and(|mut region| {
        let is_out = region.leave_out_of_dumps(page);
        region.give_back();
        is_out
    })
}
