//! Workloads on snmalloc, linked in.

use core::ffi::c_void;

use slubmalloc_bench::{cli, table::Table};
use snmalloc_sys::{sn_calloc, sn_free, sn_malloc, sn_malloc_usable_size, sn_realloc};

unsafe extern "C" {
    // Part of the library, but not of the crate's list.
    fn sn_memalign(alignment: usize, size: usize) -> *mut c_void;
}

unsafe extern "C" fn usable_size(pointer: *mut c_void) -> usize {
    // SAFETY: the caller gives a live block of this allocator.
    unsafe { sn_malloc_usable_size(pointer) }
}

fn main() {
    cli::main(Table {
        name: "snmalloc",
        malloc: sn_malloc,
        free: sn_free,
        calloc: sn_calloc,
        realloc: sn_realloc,
        memalign: sn_memalign,
        usable_size,
    });
}
