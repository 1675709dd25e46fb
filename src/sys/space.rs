//! The limit on address space, which the kernel does not look at when memory is committed inside of a reservation.
//!
//! # Invariant
//!
//! Whether the process has more than it may is asked by a call that every heap makes anyway: a program in a sandbox is
//! killed for others.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::linux::{limit_of, read_file, total_ram_bytes};
use super::{Region, page_size};

/// Whether there is known to be a limit.
static IS_LIMITED: AtomicBool = AtomicBool::new(false);

// ORDERING: relaxed; it only spares a system call.

/// Returns `true` if the process has more address space than `RLIMIT_AS` lets it have.
pub(crate) fn has_too_many_addresses() -> bool {
    // Where there is no room for a page there may be a limit on the number of mappings, or a filter.
    !Region::can_reserve(page_size()) && (IS_LIMITED.load(Relaxed) || address_limit().is_some())
}

/// The limit on address space in bytes; `None` where there is none.
pub(crate) fn address_limit() -> Option<usize> {
    let limit = limit_of(libc::RLIMIT_AS);
    IS_LIMITED.store(limit.is_some(), Relaxed);
    limit
}

/// The memory that this process may have at most: the machine's, or what its limits on address space and data say.
pub(crate) fn memory_allowed() -> usize {
    let data = limit_of(libc::RLIMIT_DATA).unwrap_or(usize::MAX);
    let left = virtual_memory_left().unwrap_or(usize::MAX);
    total_ram_bytes().min(left).min(data)
}

/// The address space that `RLIMIT_AS` leaves to this process; `None` where there is no limit.
pub(crate) fn virtual_memory_left() -> Option<usize> {
    let limit = address_limit()?;
    let mut text = [0; 64];
    let statm = read_file(cstr::cstr!("/proc/self/statm"), &mut text).unwrap_or_default();
    let digits = statm.iter().take_while(|byte| byte.is_ascii_digit());
    let pages = digits.fold(0_usize, |pages, byte| pages * 10 + usize::from(byte - b'0'));
    let used = pages.saturating_mul(page_size());
    Some(limit.saturating_sub(used))
}
