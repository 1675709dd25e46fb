//! What core files hold of a reservation. What the kernel writes leaves out what has no memory; but gdb's `gcore` writes each
//! mapping that is not marked (`MADV_DONTDUMP`), with or without access, and filled disks with zeroes.

use super::syscall::call;

/// Leaves a range out of core files; returns whether the kernel knows how.
pub(super) fn leave_out(address: usize, bytes: usize) -> bool {
    advise(address, bytes, libc::MADV_DONTDUMP)
}

/// Has core files hold a range.
pub(super) fn put_in(address: usize, bytes: usize) {
    let _ = advise(address, bytes, libc::MADV_DODUMP);
}

fn advise(address: usize, bytes: usize, advice: i32) -> bool {
    let arguments = [address, bytes, advice as usize, 0, 0, 0];
    // SAFETY: the advice changes no memory; where it is not taken, core files are larger, or lack a part.
    unsafe { call(libc::SYS_madvise, arguments) }.is_ok()
}

/// Whether a region's second page can be left out.
#[cfg(all(test, not(simulated)))]
pub(super) fn leaves_out_a_part() -> bool {
    let page = super::page_size();
    let region = super::memory::reserve(2 * page);
    region.is_some_and(|region| {
        let is_out = leave_out(region.as_ptr() as usize + page, page);
        // SAFETY: nobody uses what was reserved above.
        let is_gone = unsafe { super::memory::unmap(region, 2 * page) };
        is_out && is_gone
    })
}
