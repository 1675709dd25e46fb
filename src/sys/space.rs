//! The limit on address space, which the kernel does not look at when memory is committed inside of a reservation.
//!
//! # Invariant
//!
//! Whether the process has more than it may is asked by a call that every heap makes anyway: a program in a sandbox is
//! killed for others.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::linux::limit_of;
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
