//! The program limits its own address space: what is reserved and not in use goes back, so that the limit leaves room for
//! the program's other mappings.
#![forbid(unsafe_code)]

use super::life::{PROCESS, inside, own};
use crate::cache::ThreadCache;
use crate::sys;

/// Makes room after the limit on address space of process number `process` was changed, if that is this process; 0 is.
pub fn address_limit_changed(process: i32) {
    let is_own = process == 0 || usize::try_from(process) == Ok(sys::process_id());
    if !is_own || sys::address_limit().is_none() {
        return;
    }
    // A signal handler may have interrupted this thread where it holds a lock; the next commitment sees the limit.
    let is_interrupted = own().is_some_and(ThreadCache::is_interrupted);
    if let Some(process) = PROCESS.get().filter(|_| !is_interrupted) {
        inside(|| {
            process.heap.give_up_reservations();
            process.watch.give_up_reservations();
        });
    }
}
