//! What core files hold of a reservation. What the kernel writes leaves out what has no memory; but gdb's `gcore` writes each
//! mapping that is not marked (`MADV_DONTDUMP`), with or without access, and filled disks with zeroes.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::syscall::call;
use super::{Region, is_filtered};

/// What is put into core files is so many times what is needed, so that it seldom happens.
const DUMPED_AHEAD: usize = 4;
/// Whether a filter was there already when reservations were first marked.
static WAS_FILTERED: AtomicBool = AtomicBool::new(false);

impl Region {
    /// Leaves what is behind the first `head` bytes out of core files until it is committed.
    /// Whether the kernel knows how.
    pub(crate) fn leave_out_of_dumps(&mut self, head: usize) -> bool {
        let bytes = self.bytes().saturating_sub(head);
        self.dumped = head.into();
        bytes == 0 || leave_out(self.at(head), bytes)
    }

    /// Puts what is committed, up to `end`, into core files.
    pub(super) fn put_into_dumps(&self, end: usize) {
        // ORDERING: relaxed, written and read under the lock that commitments are under.
        let dumped = self.dumped.load(Relaxed);
        if end > dumped {
            let wanted = end.saturating_mul(DUMPED_AHEAD).min(self.bytes());
            put_in(self.at(dumped), wanted - dumped);
            // ORDERING: as above.
            self.dumped.store(wanted, Relaxed);
        }
    }
}

/// Leaves a range out of core files from now on.
fn leave_out(start: NonNull<u8>, bytes: usize) -> bool {
    // ORDERING: relaxed, written when nobody else is here yet.
    WAS_FILTERED.store(is_filtered(), Relaxed);
    advise(start, bytes, libc::MADV_DONTDUMP)
}

/// Puts a range into core files again. A sandbox that was entered meanwhile may end the process for advice that it does not
/// know, so there it stays out.
fn put_in(start: NonNull<u8>, bytes: usize) {
    // ORDERING: relaxed, as above.
    if WAS_FILTERED.load(Relaxed) || !is_filtered() {
        let _ = advise(start, bytes, libc::MADV_DODUMP);
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
