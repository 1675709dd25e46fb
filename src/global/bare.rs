//! Allocating past all thread caches.

use super::early;
use super::life::{PROCESS, current_node, process};
use crate::slab::{Object, class};
use crate::sys;
use crate::units::Zeroed;

/// Allocates for the thread that is ending the process: without any lock that it may hold.
#[cold]
pub(super) fn allocate_ending(size: usize, align: usize, zeroed: Zeroed) -> Option<Object> {
    let heap = &process()?.heap;
    let home = heap.home_of(current_node(heap));
    heap.take_mapping(home, size, align, zeroed)
}

/// Allocates for a thread that has no cache: it is ending, there was no memory for one, or it is making the heap and was
/// interrupted in that.
#[cold]
pub(super) fn allocate_bare(size: usize, align: usize, zeroed: Zeroed) -> Option<Object> {
    let Some(process) = process() else {
        return if PROCESS.is_maker() {
            early::allocate(size, align)
        } else {
            None
        };
    };
    let heap = &process.heap;
    let home = heap.home_of(current_node(heap));
    let Some(id) = class::aligned_class_of(size, align) else {
        let size = size.max(class::MAX_SMALL + 1);
        return heap.take_large(home, size, align, zeroed).or_else(|| {
            let helps = heap.pressure_helps(size, align);
            helps.then(|| heap.take_under_pressure(home, size, align, zeroed))?
        });
    };
    let take = || heap.take_object(home, id);
    let object = take().or_else(|| heap.take_small_under_pressure(take));
    clear(object, size, zeroed)
}

/// What a function of the C library's answers; counts a request of `size` bytes that got nothing.
#[inline]
pub(super) fn answer(block: Option<Object>, size: usize) -> *mut u8 {
    match block {
        Some(block) => block.as_ptr(),
        None => refused(size),
    }
}

#[cold]
fn refused(size: usize) -> *mut u8 {
    if let Some(process) = PROCESS.get() {
        process.heap.note_refusal(size);
    }
    core::ptr::null_mut()
}

/// Clears the first `size` bytes of a block that was just taken and has as many, if that is wanted.
pub(super) fn clear(block: Option<Object>, size: usize, zeroed: Zeroed) -> Option<Object> {
    if let Some(block) = block.filter(|_| zeroed == Zeroed::Yes) {
        // SAFETY: the block was taken by the caller and holds `size` bytes.
        unsafe { sys::clear(block, size) };
    }
    block
}
