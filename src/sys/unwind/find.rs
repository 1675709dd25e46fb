//! The object that an address lies in.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::listed::{is_in_loader, listed};
use super::object::Object;
use crate::sys::syscall::ask;
use crate::sys::weak::function_at;

/// `struct dl_find_object` of glibc 2.35, see `<dlfcn.h>`.
#[repr(C)]
struct Found {
    flags: u64,
    start: usize,
    end: usize,
    link_map: usize,
    header: usize,
    reserved: [u64; 7],
}

/// That function, where it had to be looked up.
static KNOWN: AtomicUsize = AtomicUsize::new(0);

/// Tells the address of `_dl_find_object`, 0 for none, where it could not be imported.
#[doc(hidden)]
pub fn know_find_object(address: usize) {
    // ORDERING: relaxed, as where it is read.
    KNOWN.store(address, Relaxed);
}

/// The object that `address` lies in; `None` where there is none, or it has no table.
#[inline(never)]
pub(super) fn object(address: usize) -> Option<Object> {
    type FindObject = unsafe extern "C" fn(*mut c_void, *mut Found) -> c_int;
    // SAFETY: the function of that name has this type.
    let Some(find) = (unsafe { function_at::<FindObject>(find_object()) }) else {
        return listed(address);
    };
    let mut found = MaybeUninit::<Found>::uninit();
    let address = core::ptr::without_provenance_mut(address);
    // SAFETY: it takes no lock, and fills the structure if it answers 0.
    if ask(|| unsafe { find(address, found.as_mut_ptr()) }) != 0 {
        return None;
    }
    // SAFETY: filled by the call.
    let found = unsafe { found.assume_init() };
    Object::new(found.start..found.end, found.header)
}

/// Whether a stack ends at `address`, since what is above it cannot be looked up without a lock that is held.
pub(super) fn is_end(address: usize) -> bool {
    find_object() == 0 && is_in_loader(address)
}

/// The address of `_dl_find_object`, 0 where there is none.
fn find_object() -> usize {
    let imported = weak!("_dl_find_object");
    // A symbol that the linker was told to be 0 is on aarch64 moved with the object: it is where that begins.
    if imported == 0 || imported == weak!("__ehdr_start") {
        // ORDERING: relaxed, the function was there before this library.
        KNOWN.load(Relaxed)
    } else {
        imported
    }
}
