//! The allocator under test, as a table of C functions.
//!
//! Workloads reach an allocator only through this table. Every call is an indirect one, so no
//! allocator gains from being inlined where the others cannot be.

use core::ffi::c_void;

/// The allocation functions of one allocator.
///
/// The builder of a table promises that its functions behave as the C standard (and, for
/// `memalign` and `usable_size`, the Linux manual pages) say: the safe types of this crate rest on it.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The allocator's name, as reports show it.
    pub name: &'static str,
    /// `malloc(size)`
    pub malloc: unsafe extern "C" fn(usize) -> *mut c_void,
    /// `free(pointer)`
    pub free: unsafe extern "C" fn(*mut c_void),
    /// `calloc(count, size)`
    pub calloc: unsafe extern "C" fn(usize, usize) -> *mut c_void,
    /// `realloc(pointer, size)`
    pub realloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    /// `memalign(alignment, size)`
    pub memalign: unsafe extern "C" fn(usize, usize) -> *mut c_void,
    /// `malloc_usable_size(pointer)`
    pub usable_size: unsafe extern "C" fn(*mut c_void) -> usize,
}

/// The `malloc` family that this process was linked or preloaded with.
#[must_use]
pub fn system() -> Table {
    Table {
        name: "system",
        malloc: libc::malloc,
        free: libc::free,
        calloc: libc::calloc,
        realloc: libc::realloc,
        memalign: libc::memalign,
        usable_size: libc::malloc_usable_size,
    }
}
