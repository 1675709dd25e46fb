//! The kernel's shrinkers under names of their own, as `slubmalloc.h` describes them.

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};

use slubmalloc_core::raw::{self as core_alloc, CountObjects, MOST_NAME, ScanObjects, Shrinker};

use crate::errno::refuse;
use crate::kmem::{errno_of, zero_or_errno};

/// `shrinker_alloc` and `shrinker_register`; a handle, which is no address.
///
/// # Safety
///
/// `name` is null or a string.
#[unsafe(no_mangle)]
unsafe extern "C" fn slub_register_shrinker(
    name: *const c_char,
    count: Option<CountObjects>,
    scan: Option<ScanObjects>,
    context: *mut c_void,
    flags: c_uint,
) -> *mut c_void {
    let (Some(count), Some(scan), false) = (count, scan, name.is_null()) else {
        return refuse(libc::EINVAL).cast();
    };
    let mut title = [0; MOST_NAME];
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(name) };
    let bytes = title.iter_mut().zip(text.to_bytes());
    bytes.for_each(|(to, from)| *to = *from);
    let shrinker = Shrinker {
        count,
        scan,
        context: context.expose_provenance(),
        flags,
        name: title,
    };
    match core_alloc::register_shrinker(shrinker) {
        Ok(handle) => core::ptr::without_provenance_mut(handle),
        Err(why) => refuse(errno_of(why)).cast(),
    }
}

/// `shrinker_free`: 0, or -1.
#[unsafe(no_mangle)]
extern "C" fn slub_unregister_shrinker(shrinker: *mut c_void) -> c_int {
    match shrinker.is_null() {
        true => 0,
        false => zero_or_errno(core_alloc::unregister_shrinker(shrinker.addr())),
    }
}
