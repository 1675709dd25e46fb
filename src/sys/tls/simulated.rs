//! The slot on a machine that is interpreted: the standard library's.

extern crate std;
use core::cell::Cell;
use std::thread_local;

thread_local! {
    /// The calling thread's pointer; null until it is written.
    static SLOT: Cell<*const u8> = const { Cell::new(core::ptr::null()) };
}

unsafe extern "Rust" {
    /// What a new thread's slot points to, from `define_slot!`.
    #[link_name = "__slubmalloc_unborn"]
    fn unborn() -> *const u8;
}

/// The calling thread's pointer.
pub(crate) fn read() -> *const u8 {
    let value = SLOT.get();
    if value.is_null() {
        // SAFETY: gives the address of a static.
        return unsafe { unborn() };
    }
    value
}

/// A number that no other living thread has.
pub(crate) fn thread_id() -> usize {
    SLOT.with(|slot| core::ptr::from_ref(slot).addr())
}

/// Sets the calling thread's pointer.
pub(crate) fn write(value: *const u8) {
    SLOT.set(value);
}

/// Defines the slot; `$initial` is the static that a new thread's slot points to.
macro_rules! define_slot {
    ($initial:path) => {
        #[unsafe(export_name = "__slubmalloc_unborn")]
        fn unborn() -> *const u8 {
            (&raw const $initial).cast()
        }
    };
}
pub(crate) use define_slot;
