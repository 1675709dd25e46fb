//! The slot on aarch64: relative to `tpidr_el0`, its offset in the global offset table.

use core::arch::asm;

/// The calling thread's pointer.
#[inline(always)]
pub(crate) fn read() -> *const u8 {
    let value: *const u8;
    // SAFETY: reads the slot that `define_slot!` made; nothing else is touched.
    unsafe {
        asm!(
            "mrs {0}, tpidr_el0",
            "adrp {1}, :gottprel:__slubmalloc_slot",
            "ldr {1}, [{1}, :gottprel_lo12:__slubmalloc_slot]",
            "ldr {0}, [{0}, {1}]",
            out(reg) value,
            out(reg) _,
            options(nostack, preserves_flags, readonly, pure),
        );
    }
    value
}

/// A number that no other living thread has: its thread pointer.
pub(crate) fn thread_id() -> usize {
    let value: usize;
    // SAFETY: reads a register.
    unsafe {
        asm!("mrs {0}, tpidr_el0", out(reg) value, options(nostack, preserves_flags, nomem, pure));
    }
    value
}

/// Sets the calling thread's pointer.
pub(crate) fn write(value: *const u8) {
    // SAFETY: writes the slot that `define_slot!` made; nobody holds a reference to it.
    unsafe {
        asm!(
            "mrs {0}, tpidr_el0",
            "adrp {1}, :gottprel:__slubmalloc_slot",
            "ldr {1}, [{1}, :gottprel_lo12:__slubmalloc_slot]",
            "str {2}, [{0}, {1}]",
            out(reg) _,
            out(reg) _,
            in(reg) value,
            options(nostack, preserves_flags),
        );
    }
}
