//! Workloads on rpmalloc, linked in. Its `preload` feature brings its own hook for the end of threads.

use core::ffi::c_void;

use rpmalloc_sys::{
    rpcalloc, rpfree, rpmalloc, rpmalloc_initialize, rpmalloc_usable_size, rpmemalign, rprealloc,
};
use slubmalloc_bench::{cli, table::Table};

unsafe extern "C" fn usable_size(pointer: *mut c_void) -> usize {
    // SAFETY: the caller gives a live block of this allocator.
    unsafe { rpmalloc_usable_size(pointer) }
}

fn main() {
    // SAFETY: called once, before any other of its functions.
    let failed = unsafe { rpmalloc_initialize() };
    assert_eq!(failed, 0, "rpmalloc did not start");
    cli::main(Table {
        name: "rpmalloc",
        malloc: rpmalloc,
        free: rpfree,
        calloc: rpcalloc,
        realloc: rprealloc,
        memalign: rpmemalign,
        usable_size,
    });
}
