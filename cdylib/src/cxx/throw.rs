//! What a C++ runtime offers for throwing: found when it is needed, so that the library
//! works without one.
//!
//! The names are the same in libstdc++ and libc++abi: `std::bad_alloc` lies in no inline namespace.

use core::ffi::{CStr, c_void};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use slubmalloc_core::raw::Line;
use slubmalloc_core::weak;

use crate::loader;

/// The arguments of `__cxa_throw`, and itself, in the order the assembly loads them.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Throw {
    exception: *mut c_void,
    type_info: *const c_void,
    destructor: *const c_void,
    throw: *const c_void,
}

/// A symbol of the C++ runtime: linked, or of a runtime that was loaded later without being made
/// global, as a plug-in's is.
fn runtime(linked: usize, name: &CStr) -> usize {
    if linked != 0 {
        linked
    } else {
        loaded_later(name)
    }
}

#[cold]
fn loaded_later(name: &CStr) -> usize {
    let mut libraries = [c"libstdc++.so.6", c"libc++abi.so.1", c"libc++.so.1"].into_iter();
    libraries
        .find_map(|library| match loader::in_library(library, name) {
            0 => None,
            found => Some(found),
        })
        .unwrap_or(0)
}

/// The function that `std::set_new_handler` installed, or null.
pub(super) extern "C" fn current_handler() -> *const c_void {
    let get = runtime(weak!("_ZSt15get_new_handlerv"), c"_ZSt15get_new_handlerv");
    if get == 0 {
        return core::ptr::null();
    }
    let get = core::ptr::with_exposed_provenance::<()>(get);
    // SAFETY: `std::get_new_handler` takes nothing and gives a function pointer.
    let get = unsafe { core::mem::transmute::<*const (), extern "C" fn() -> *const c_void>(get) };
    get()
}

/// What the assembly needs to catch, filled in before anything may throw; the unwinder reads the
/// first word. Defined in assembly, where it can be hidden.
#[repr(C)]
struct Catch {
    personality: AtomicUsize,
    begin: AtomicUsize,
    end: AtomicUsize,
}

unsafe extern "C" {
    safe static __slubmalloc_catch: Catch;
}

/// The handler as [`current_handler`] finds it, for a caller that will catch what it throws.
pub(super) extern "C" fn handler_to_catch() -> *const c_void {
    let handler = current_handler();
    if !handler.is_null() {
        let personality = runtime(weak!("__gxx_personality_v0"), c"__gxx_personality_v0");
        let begin = runtime(weak!("__cxa_begin_catch"), c"__cxa_begin_catch");
        let end = runtime(weak!("__cxa_end_catch"), c"__cxa_end_catch");
        // ORDERING: relaxed; every thread stores the same addresses before it reads them.
        __slubmalloc_catch.personality.store(personality, Relaxed);
        __slubmalloc_catch.begin.store(begin, Relaxed);
        __slubmalloc_catch.end.store(end, Relaxed);
    }
    handler
}

/// Makes a `std::bad_alloc` and says how to throw it.
pub(super) extern "C" fn prepare_bad_alloc(out: &mut Throw) {
    let allocate = runtime(
        weak!("__cxa_allocate_exception"),
        c"__cxa_allocate_exception",
    );
    let throw = runtime(weak!("__cxa_throw"), c"__cxa_throw");
    let vtable = runtime(weak!("_ZTVSt9bad_alloc"), c"_ZTVSt9bad_alloc");
    let type_info = runtime(weak!("_ZTISt9bad_alloc"), c"_ZTISt9bad_alloc");
    let destructor = runtime(weak!("_ZNSt9bad_allocD1Ev"), c"_ZNSt9bad_allocD1Ev");
    if [allocate, throw, vtable, type_info, destructor].contains(&0) {
        // Nobody could catch it.
        Line::<160>::headline()
            .text("operator new without memory or a C++ runtime\n")
            .print();
        // SAFETY: abort(3) may be called at any time.
        unsafe { libc::abort() }
    }
    let allocate = core::ptr::with_exposed_provenance::<()>(allocate);
    // SAFETY: the runtime's function; it has a reserve for the case that there is no memory.
    let allocate = unsafe {
        core::mem::transmute::<*const (), extern "C" fn(usize) -> *mut *const c_void>(allocate)
    };
    let exception = allocate(size_of::<*const c_void>());
    // An object of a class with virtual functions and no data is a pointer to what follows the two words
    // at its table's beginning.
    let first_function = (vtable + 2 * size_of::<usize>()) as *const c_void;
    // SAFETY: the exception has room for that.
    unsafe { exception.write(first_function) };
    *out = Throw {
        exception: exception.cast(),
        type_info: type_info as *const c_void,
        destructor: destructor as *const c_void,
        throw: throw as *const c_void,
    };
}
