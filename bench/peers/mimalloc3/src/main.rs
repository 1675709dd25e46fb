//! Workloads on mimalloc 3, linked in.

use core::ffi::c_void;

use libmimalloc_sys::{mi_calloc, mi_free, mi_malloc, mi_realloc, mi_usable_size};
use slubmalloc_bench::{cli, table::Table};

unsafe extern "C" {
    // Part of the library, but not of the crate's list.
    fn mi_memalign(alignment: usize, size: usize) -> *mut c_void;
}

unsafe extern "C" fn usable_size(pointer: *mut c_void) -> usize {
    // SAFETY: the caller gives a live block of this allocator.
    unsafe { mi_usable_size(pointer) }
}

fn main() {
    cli::main(Table {
        name: "mimalloc3",
        malloc: mi_malloc,
        free: mi_free,
        calloc: mi_calloc,
        realloc: mi_realloc,
        memalign: mi_memalign,
        usable_size,
    });
}
