//! What a call needs of the heap when no cache stands between: the node that serves it, and the answer.
#![forbid(unsafe_code)]

use super::process::{PROCESS, Process, current_node};
use crate::heap::Node;
use crate::slab::Object;

/// The node that serves a thread without a cache.
pub(super) fn home(process: &Process) -> &'static Node {
    process.heap.home_of(current_node(&process.heap))
}

/// What a function of the C library's answers; counts a request of `size` bytes that got nothing.
#[inline]
pub(super) fn answer(block: Option<Object>, size: usize) -> *mut u8 {
    match block {
        Some(block) => block.as_ptr(),
        None => refused(size),
    }
}

/// Counts a request of `size` bytes that got nothing; null.
#[cold]
pub(super) fn refused(size: usize) -> *mut u8 {
    if let Some(process) = PROCESS.get() {
        process.heap.note_refusal(size);
    }
    core::ptr::null_mut()
}
