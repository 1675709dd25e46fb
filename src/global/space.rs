//! What the program does to its own address space. Where it changes properties of memory, that is noted. Where it limits
//! the whole, what is reserved and not in use goes back, so that the limit leaves room for
//! the program's other mappings.
#![forbid(unsafe_code)]

use super::process::PROCESS;
use super::threads::{inside, own};
use crate::cache::ThreadCache;
use crate::sys;

/// Records that the program changes properties of `bytes` at `start`: access, advice, locks. Before it does so.
pub fn property_change(start: usize, bytes: usize) {
    // Without a lock, since a signal handler may make the call.
    if let Some(process) = PROCESS.get() {
        process
            .heap
            .note_changed(start, start.saturating_add(bytes));
    }
}

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
            process.modes.give_up_reservations();
        });
    }
}
