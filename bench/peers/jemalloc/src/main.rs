//! Workloads on jemalloc, linked in.

use core::ffi::c_void;

use slubmalloc_bench::{cli, table::Table};
use tikv_jemalloc_sys::{aligned_alloc, calloc, free, malloc, malloc_usable_size, realloc};

unsafe extern "C" fn usable_size(pointer: *mut c_void) -> usize {
    // SAFETY: the caller gives a live block of this allocator.
    unsafe { malloc_usable_size(pointer) }
}

fn main() {
    // Its `aligned_alloc` takes any size, so it is a `memalign`.
    cli::main(Table {
        name: "jemalloc",
        malloc,
        free,
        calloc,
        realloc,
        memalign: aligned_alloc,
        usable_size,
    });
}
