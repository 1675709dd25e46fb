//! The slot on x86-64: `fs`-relative, its offset in the global offset table.

use core::arch::asm;

/// The calling thread's pointer.
#[inline(always)]
pub(crate) fn read() -> *const u8 {
    let value: *const u8;
    // SAFETY: reads the slot that `define_slot!` made; nothing else is touched.
    unsafe {
        asm!(
            "mov {0}, qword ptr [rip + __slubmalloc_slot@GOTTPOFF]",
            "mov {0}, qword ptr fs:[{0}]",
            out(reg) value,
            options(nostack, preserves_flags, readonly, pure),
        );
    }
    value
}

/// A number that no other living thread has: its thread pointer.
pub(crate) fn thread_id() -> usize {
    let value: usize;
    // SAFETY: the first word of a thread's block is its own address (x86-64 ELF TLS ABI).
    unsafe {
        asm!("mov {0}, qword ptr fs:[0]", out(reg) value, options(nostack, preserves_flags, readonly, pure));
    }
    value
}

/// Sets the calling thread's pointer.
pub(crate) fn write(value: *const u8) {
    // SAFETY: writes the slot that `define_slot!` made; nobody holds a reference to it.
    unsafe {
        asm!(
            "mov {0}, qword ptr [rip + __slubmalloc_slot@GOTTPOFF]",
            "mov qword ptr fs:[{0}], {1}",
            out(reg) _,
            in(reg) value,
            options(nostack, preserves_flags),
        );
    }
}
