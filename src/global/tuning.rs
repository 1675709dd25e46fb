//! What mallopt(3) changes while the program runs.
#![forbid(unsafe_code)]

use super::process::process;
use super::threads::inside;

/// Leaves `bytes` of unused memory in each arena, and as much in freed mappings, to the process instead of giving it back when
/// it was not needed for some time; `usize::MAX` for all. See `M_TRIM_THRESHOLD` in mallopt(3).
pub fn keep_unused(bytes: usize) {
    if let Some(process) = process() {
        inside(|| process.heap.keep_unused(bytes));
    }
}

/// Makes blocks of `bytes` and more mappings of their own, as far as they are above 48 KiB; those above 4 MiB always are. See
/// `M_MMAP_THRESHOLD` in mallopt(3).
pub fn map_from(bytes: usize) {
    if let Some(process) = process() {
        inside(|| process.heap.map_from(bytes));
    }
}
