//! Workloads on Google's tcmalloc, linked in.

use core::ffi::c_void;
use std::os::unix::process::CommandExt;
use std::process::Command;

// Makes the library part of the program; its C functions are not in the crate's list.
use libtcmalloc_sys as _;
use slubmalloc_bench::{cli, table::Table};

unsafe extern "C" {
    fn TCMallocInternalMalloc(size: usize) -> *mut c_void;
    fn TCMallocInternalFree(pointer: *mut c_void);
    fn TCMallocInternalCalloc(count: usize, size: usize) -> *mut c_void;
    fn TCMallocInternalRealloc(pointer: *mut c_void, size: usize) -> *mut c_void;
    fn TCMallocInternalMemalign(alignment: usize, size: usize) -> *mut c_void;
    fn TCMallocInternalMallocSize(pointer: *mut c_void) -> usize;
    fn TCMalloc_Internal_ForceCpuCacheActivation();
}

/// Its caches per processor need the thread's rseq area, which glibc 2.35 and later take first unless told
/// not to (tcmalloc, docs/rseq.md). The dynamic linker reads this before `main`: so start again with it.
const TUNABLE: (&str, &str) = ("GLIBC_TUNABLES", "glibc.pthread.rseq=0");

fn main() {
    if std::env::var_os(TUNABLE.0).is_none() {
        let own = std::env::current_exe().expect("a program knows its own file");
        let error = Command::new(own)
            .args(std::env::args_os().skip(1))
            .env(TUNABLE.0, TUNABLE.1)
            .exec();
        panic!("cannot start again: {error}");
    }
    // SAFETY: no other thread runs yet.
    unsafe { TCMalloc_Internal_ForceCpuCacheActivation() };
    cli::main(Table {
        name: "tcmalloc",
        malloc: TCMallocInternalMalloc,
        free: TCMallocInternalFree,
        calloc: TCMallocInternalCalloc,
        realloc: TCMallocInternalRealloc,
        memalign: TCMallocInternalMemalign,
        usable_size: TCMallocInternalMallocSize,
    });
}
