//! Memory on a node that the program names.
#![forbid(unsafe_code)]

use super::birth::inside_alive;
use super::process::{PROCESS, process};
use super::uncached::answer;
use crate::slab::Request;
use crate::units::{MIN_ALIGN, NodeId, Zeroed};

/// Allocates at least `size` bytes on `node`, or as near to it as there is memory; null if there is
/// none. `None` if threads take no memory from such a node: the machine has none with that number,
/// it is forbidden, or the configuration leaves it out.
pub fn alloc_onnode(size: usize, node: u8) -> Option<*mut u8> {
    aligned_onnode(size, MIN_ALIGN, node)
}

/// The same at a multiple of `align`, a power of two, at least 16.
pub(super) fn aligned_onnode(size: usize, align: usize, node: u8) -> Option<*mut u8> {
    let Some(process) = process() else {
        return Some(core::ptr::null_mut());
    };
    let node = process.heap.node(NodeId(node))?;
    let Some(request) = Request::new(size, align, Zeroed::No) else {
        return Some(core::ptr::null_mut());
    };
    let block = inside_alive(|| process.heap.take(node, &request));
    // Of a block of zeroes all is cleared.
    block.inspect(|block| process.modes.clearing().gain(&process.heap, *block, 0));
    Some(answer(block, size))
}

/// The number of the node that the memory at `address` is on; `None` for what is no memory of this heap. Of huge and
/// interleaved blocks only pages that were written to have a node; for others the answer means nothing.
pub fn node_of(address: *const u8) -> Option<u8> {
    let process = PROCESS.get()?;
    process.heap.node_of(address as usize).map(|node| node.0)
}
