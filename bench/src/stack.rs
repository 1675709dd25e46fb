//! The limit of the approach: an array of pointers per thread, without any lookup.
//!
//! Not an allocator: every block has one size, nothing goes back, threads share nothing. What a
//! `malloc` and `free` pair costs above this is what knowing sizes and owners costs.

use core::cell::{Cell, UnsafeCell};
use core::ffi::c_void;
use core::hint::black_box;
use core::ptr::null_mut;

use crate::table::{Table, system};

/// The one size of block; larger requests are refused.
pub const BLOCK: usize = 8192;

/// Free blocks kept per thread; beyond that they go back to the system.
const DEPTH: usize = 256;

struct Stack {
    blocks: UnsafeCell<[*mut c_void; DEPTH]>,
    top: Cell<usize>,
}

thread_local! {
    static STACK: Stack =
        const { Stack { blocks: UnsafeCell::new([null_mut(); DEPTH]), top: Cell::new(0) } };
}

/// A table of pop and push; of use for workloads on one size up to [`BLOCK`] bytes.
#[must_use]
pub fn stack() -> Table {
    Table {
        name: "stack",
        malloc: pop,
        free: push,
        ..system()
    }
}

unsafe extern "C" fn pop(size: usize) -> *mut c_void {
    STACK.with(|stack| {
        // The address in a register: stores through the thread's segment are forwarded more slowly.
        let stack = black_box(stack);
        let top = stack.top.get();
        if top == 0 || size > BLOCK {
            return refill(size);
        }
        stack.top.set(top - 1);
        let slot = stack
            .blocks
            .get()
            .cast::<*mut c_void>()
            .wrapping_add(top - 1);
        // SAFETY: `top - 1` is below `DEPTH`, and only this thread sees its stack.
        unsafe { *slot }
    })
}

unsafe extern "C" fn push(block: *mut c_void) {
    STACK.with(|stack| {
        let stack = black_box(stack);
        let top = stack.top.get();
        if top == DEPTH {
            return spill(block);
        }
        stack.top.set(top + 1);
        let slot = stack.blocks.get().cast::<*mut c_void>().wrapping_add(top);
        // SAFETY: `top` is below `DEPTH`, and only this thread sees its stack.
        unsafe { *slot = block };
    });
}

#[cold]
#[inline(never)]
fn refill(size: usize) -> *mut c_void {
    if size > BLOCK {
        return null_mut();
    }
    // SAFETY: `malloc` may be called with any size.
    unsafe { libc::malloc(BLOCK) }
}

#[cold]
#[inline(never)]
fn spill(block: *mut c_void) {
    // SAFETY: every block of this table came from `refill`.
    unsafe { libc::free(block) }
}

#[cfg(test)]
mod tests {
    use super::stack;

    #[test]
    fn the_last_block_freed_is_the_next_given() {
        let table = stack();
        let first = table.place(64, 1u64);
        let address = first.address();
        table.discard(first);
        let second = table.place(100, 2u64);
        assert_eq!(second.address(), address);
        table.discard(second);
    }
}
