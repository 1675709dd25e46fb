//! slubmalloc in this process, as a table.

use core::ffi::c_void;

use slubmalloc_bench::table::Table;

/// The library's own functions, with C's way of calling.
pub(crate) fn slubmalloc() -> Table {
    Table {
        name: "slubmalloc",
        malloc,
        free,
        calloc,
        realloc,
        memalign,
        usable_size,
    }
}

unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    slubmalloc::raw::malloc(size).cast()
}

unsafe extern "C" fn free(pointer: *mut c_void) {
    // SAFETY: the caller gives up a live block of this allocator.
    unsafe { slubmalloc::raw::free(pointer.cast()) }
}

unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    slubmalloc::raw::calloc(count, size).cast()
}

unsafe extern "C" fn realloc(pointer: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller gives up a live block of this allocator.
    unsafe { slubmalloc::raw::realloc(pointer.cast(), size).cast() }
}

unsafe extern "C" fn memalign(alignment: usize, size: usize) -> *mut c_void {
    slubmalloc::raw::memalign(alignment, size).cast()
}

unsafe extern "C" fn usable_size(pointer: *mut c_void) -> usize {
    slubmalloc::raw::usable_size(pointer.cast())
}
