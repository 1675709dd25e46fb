//! The functions of cxx/unwound.cpp, loaded.

use core::ffi::{CStr, c_int, c_void};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use crate::support::compile;

/// What they call at their ends.
pub(crate) type Leaf = unsafe extern "C" fn(*mut c_void);
type Deep = unsafe extern "C" fn(c_int, Leaf, *mut c_void) -> c_int;
/// What `calls` calls.
pub(crate) type Called = unsafe extern "C" fn(usize, Leaf, *mut c_void);
type Calls = unsafe extern "C" fn(Called, usize, Leaf, *mut c_void);

pub(crate) struct Library(*mut c_void);

impl Library {
    pub(crate) fn open(flags: &[&str]) -> Self {
        let flags = [&["-O2", "-shared", "-fPIC"], flags].concat();
        let path = compile("cxx/unwound.cpp", &flags);
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: without constructors.
        let opened = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(!opened.is_null());
        Self(opened)
    }

    pub(crate) fn close(self) {
        // SAFETY: opened above, and nothing of it is running.
        assert_eq!(unsafe { libc::dlclose(self.0) }, 0);
    }

    /// The function of that name.
    ///
    /// # Safety
    ///
    /// It has that type.
    unsafe fn function<F: Copy>(&self, name: &CStr) -> F {
        // SAFETY: a library that is open.
        let address = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!address.is_null());
        // SAFETY: the caller's promise.
        unsafe { core::mem::transmute_copy(&address) }
    }

    fn run(&self, name: &CStr, depth: c_int, leaf: Leaf, data: *mut c_void) {
        // SAFETY: the functions that are named here have this type.
        let function: Deep = unsafe { self.function(name) };
        // SAFETY: `leaf` takes `data`.
        unsafe { function(depth, leaf, data) };
    }

    pub(crate) fn deep(&self, depth: c_int, leaf: Leaf, data: *mut c_void) {
        self.run(c"deep", depth, leaf, data);
    }

    pub(crate) fn deep_address(&self) -> usize {
        // SAFETY: an address may be a number.
        unsafe { self.function(c"deep") }
    }

    pub(crate) fn above_large_frame(&self, depth: c_int, leaf: Leaf, data: *mut c_void) {
        self.run(c"above_large_frame", depth, leaf, data);
    }

    pub(crate) fn in_landing_pads(&self, depth: c_int, leaf: Leaf, data: *mut c_void) {
        self.run(c"in_landing_pads", depth, leaf, data);
    }

    /// Has `called` called with these arguments.
    pub(crate) fn calls(&self, called: Called, argument: usize, leaf: Leaf, data: *mut c_void) {
        // SAFETY: the function has this type.
        let function: Calls = unsafe { self.function(c"calls") };
        // SAFETY: `called` takes what it is given.
        unsafe { function(called, argument, leaf, data) };
    }
}
