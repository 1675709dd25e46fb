//! The kernel's memory services by name, each one system call.

use core::ffi::CStr;
use core::ptr::NonNull;

use super::syscall::call;

const NO_FILE: usize = usize::MAX;

/// Reserves `bytes` of address space without access; nothing is charged but address space.
pub(super) fn reserve(bytes: usize) -> Option<NonNull<u8>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    mmap(bytes, libc::PROT_NONE, flags)
}

/// Maps `bytes` of zeroed memory.
pub(super) fn map(bytes: usize) -> Option<NonNull<u8>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    mmap(bytes, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)
}

/// Maps `bytes` of zeroed memory as a reservation has it that was made usable.
pub(super) fn map_unreserved(bytes: usize) -> Option<NonNull<u8>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    mmap(bytes, access, flags)
}

/// Reserves exactly these addresses; `false` if any of them is in use.
pub(super) fn reserve_at(start: NonNull<u8>, bytes: usize) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let flags = (flags | libc::MAP_FIXED_NOREPLACE) as usize;
    let access = libc::PROT_NONE as usize;
    let wanted = start.as_ptr() as usize;
    // SAFETY: with MAP_FIXED_NOREPLACE nothing is replaced.
    let got = unsafe { call(libc::SYS_mmap, [wanted, bytes, access, flags, NO_FILE, 0]) }.value();
    match got {
        Some(address) if address == wanted => true,
        Some(address) => {
            // A kernel before 4.17 takes the address for a wish.
            // SAFETY: the mapping was made above.
            let _ = unsafe { call(libc::SYS_munmap, [address, bytes, 0, 0, 0, 0]) };
            false
        }
        None => false,
    }
}

/// Maps `bytes` of zeroed memory that children of a fork share, over the mapping at `place` if that is not null.
///
/// # Safety
///
/// `place` is null, or such a mapping of as many bytes that nobody uses any more.
pub(super) unsafe fn map_shared(place: *mut u8, bytes: usize) -> Option<NonNull<u8>> {
    let access = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let fixed = if place.is_null() { 0 } else { libc::MAP_FIXED };
    let flags = (libc::MAP_SHARED | libc::MAP_ANONYMOUS | fixed) as usize;
    let arguments = [place as usize, bytes, access, flags, NO_FILE, 0];
    // SAFETY: replaces nothing but what the caller has given up.
    let address = unsafe { call(libc::SYS_mmap, arguments) }.value()?;
    NonNull::new(core::ptr::with_exposed_provenance_mut(address))
}

fn mmap(bytes: usize, access: i32, flags: i32) -> Option<NonNull<u8>> {
    let arguments = [0, bytes, access as usize, flags as usize, NO_FILE, 0];
    // SAFETY: a new anonymous mapping at an address of the kernel's choice replaces nothing.
    let address = unsafe { call(libc::SYS_mmap, arguments) }.value()?;
    NonNull::new(core::ptr::with_exposed_provenance_mut(address))
}

/// Unmaps `bytes` at `start`.
///
/// # Safety
///
/// The range is a mapping of ours that nobody uses any more.
pub(super) unsafe fn unmap(start: NonNull<u8>, bytes: usize) -> bool {
    let arguments = [start.as_ptr() as usize, bytes, 0, 0, 0, 0];
    // SAFETY: the caller gives the range up.
    unsafe { call(libc::SYS_munmap, arguments) }.is_ok()
}

/// Makes a mapping longer, moving its page tables where there is no room; `None` leaves it as it was.
///
/// # Safety
///
/// The range is a mapping of ours, and its old address is not used after a move.
pub(super) unsafe fn remap(
    start: NonNull<u8>,
    old_bytes: usize,
    new_bytes: usize,
) -> Option<NonNull<u8>> {
    let flags = libc::MREMAP_MAYMOVE as usize;
    let arguments = [start.as_ptr() as usize, old_bytes, new_bytes, flags, 0, 0];
    // SAFETY: the caller owns the mapping.
    let address = unsafe { call(libc::SYS_mremap, arguments) }.value()?;
    NonNull::new(core::ptr::with_exposed_provenance_mut(address))
}

/// Makes a mapping longer where it is; `false` leaves it as it was.
///
/// # Safety
///
/// The range is a mapping of ours.
pub(super) unsafe fn stretch(start: NonNull<u8>, old_bytes: usize, new_bytes: usize) -> bool {
    let arguments = [start.as_ptr() as usize, old_bytes, new_bytes, 0, 0, 0];
    // SAFETY: the caller owns the mapping; it takes addresses that nobody has.
    unsafe { call(libc::SYS_mremap, arguments) }.is_ok()
}

/// Moves a mapping to `target`, where it is `new_bytes` long and replaces what is there; `false` leaves both
/// as they were.
///
/// # Safety
///
/// Both ranges are ours, nobody uses what is at the target, and the old address is forgotten.
pub(super) unsafe fn remap_to(
    start: NonNull<u8>,
    old_bytes: usize,
    new_bytes: usize,
    target: NonNull<u8>,
) -> bool {
    let flags = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as usize;
    let (start, target) = (start.as_ptr() as usize, target.as_ptr() as usize);
    let arguments = [start, old_bytes, new_bytes, flags, target, 0];
    // SAFETY: the caller's promise.
    unsafe { call(libc::SYS_mremap, arguments) }.is_ok()
}

/// Whether the kernel has one mapping in all of a range: it makes only such a range longer. Where that is
/// possible, what was added goes back.
///
/// # Safety
///
/// The range is a mapping of ours.
pub(super) unsafe fn is_uniform(start: NonNull<u8>, bytes: usize) -> bool {
    let (address, longer) = (start.as_ptr() as usize, bytes + super::page_size());
    // SAFETY: as in `stretch`.
    let answer = unsafe { call(libc::SYS_mremap, [address, bytes, longer, 0, 0, 0]) };
    if answer.is_ok() {
        // SAFETY: the page after the range was added above.
        let added = unsafe { start.add(bytes) };
        // SAFETY: as above.
        if !unsafe { unmap(added, super::page_size()) } {
            // SAFETY: as above.
            let _ = unsafe { release_to_system(added, super::page_size()) };
        }
        return true;
    }
    // No room, or pages that are locked and as many as may be; EFAULT for several mappings, EPERM for a sealed one.
    answer.is_error(libc::ENOMEM) || answer.is_error(libc::EAGAIN)
}

/// Makes reserved pages readable and writable.
///
/// # Safety
///
/// The range lies in a reservation of ours.
pub(super) unsafe fn allow(start: NonNull<u8>, bytes: usize) -> bool {
    let access = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    // SAFETY: access is only added, to memory that nobody uses yet.
    unsafe {
        call(
            libc::SYS_mprotect,
            [start.as_ptr() as usize, bytes, access, 0, 0, 0],
        )
    }
    .is_ok()
}

/// Gives the memory of a range back to the kernel at once; it reads as zero afterwards.
///
/// # Safety
///
/// Nobody needs the range's content any more.
pub(super) unsafe fn release_to_system(start: NonNull<u8>, bytes: usize) -> bool {
    let advice = libc::MADV_DONTNEED as usize;
    // SAFETY: the caller gives the content up.
    unsafe {
        call(
            libc::SYS_madvise,
            [start.as_ptr() as usize, bytes, advice, 0, 0, 0],
        )
    }
    .is_ok()
}

/// As [`release_to_system`], for whole pages of a block.
///
/// # Safety
///
/// The range is the caller's, and nobody needs its content any more.
pub(crate) unsafe fn discard(start: NonNull<u8>, bytes: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe { release_to_system(start, bytes) }
}

/// Has a range missing in the children of forks, as a program may want it; for tests.
#[cfg(all(test, not(simulated)))]
pub(crate) fn keep_from_children(start: NonNull<u8>, bytes: usize) -> bool {
    let advice = libc::MADV_DONTFORK as usize;
    let arguments = [start.as_ptr() as usize, bytes, advice, 0, 0, 0];
    // SAFETY: the advice changes no content.
    unsafe { call(libc::SYS_madvise, arguments) }.is_ok()
}

/// Replaces a range by a reservation without access, whose memory is charged to nobody.
///
/// # Safety
///
/// The range lies in a reservation of ours, and nobody uses it any more.
pub(super) unsafe fn reserve_again(start: NonNull<u8>, bytes: usize) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
    let access = libc::PROT_NONE as usize;
    let arguments = [
        start.as_ptr() as usize,
        bytes,
        access,
        flags as usize,
        NO_FILE,
        0,
    ];
    // SAFETY: the caller gives the range up.
    unsafe { call(libc::SYS_mmap, arguments) }.is_ok()
}

/// Names a range for `/proc/PID/maps`, where the kernel (5.17, with its option) knows how.
pub(super) fn name(start: NonNull<u8>, bytes: usize, name: &CStr) {
    let (option, kind) = (
        libc::PR_SET_VMA as usize,
        libc::PR_SET_VMA_ANON_NAME as usize,
    );
    let arguments = [
        option,
        kind,
        start.as_ptr() as usize,
        bytes,
        name.as_ptr() as usize,
        0,
    ];
    // SAFETY: the kernel reads the name and changes no memory.
    let _ = unsafe { call(libc::SYS_prctl, arguments) };
}

/// Copies `bytes` from `from` to `to`, which do not overlap.
///
/// # Safety
///
/// Both ranges are the caller's.
pub(crate) unsafe fn copy(from: NonNull<u8>, to: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { to.copy_from_nonoverlapping(from, bytes) };
}
