//! The two functions on aarch64: a jump in the end, so that the loader sees their caller.

use core::ffi::{c_char, c_int, c_long, c_void};

use super::{REAL_DLOPEN, prepare_dlmopen, prepare_dlopen};

/// dlopen(3), without `RTLD_DEEPBIND` unless the configuration keeps it.
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn dlopen(file: *const c_char, mode: c_int) -> *mut c_void {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "hint #34", // bti c, where the processor has it.
        "tbnz w1, #{deepbind_bit}, 2f",
        "adrp x16, {real}",
        "ldr x16, [x16, :lo12:{real}]",
        "cbz x16, 2f",
        "br x16",
        "2:",
        "stp x29, x30, [sp, #-32]!",
        ".cfi_adjust_cfa_offset 32",
        ".cfi_rel_offset x29, 0",
        ".cfi_rel_offset x30, 8",
        "str x0, [sp, #16]",
        "mov x29, sp",
        "bl {prepare}",
        "mov x16, x0",
        "ldr x0, [sp, #16]",
        "ldp x29, x30, [sp], #32",
        ".cfi_adjust_cfa_offset -32",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "br x16",
        ".cfi_endproc",
        deepbind_bit = const libc::RTLD_DEEPBIND.trailing_zeros(),
        real = sym REAL_DLOPEN,
        prepare = sym prepare_dlopen,
    )
}

/// dlmopen(3): in the namespace of the program as [`dlopen`]; others have a libc of their own, whose heap is theirs.
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn dlmopen(namespace: c_long, file: *const c_char, mode: c_int) -> *mut c_void {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "hint #34",
        "stp x29, x30, [sp, #-32]!",
        ".cfi_adjust_cfa_offset 32",
        ".cfi_rel_offset x29, 0",
        ".cfi_rel_offset x30, 8",
        "stp x0, x1, [sp, #16]",
        "mov x29, sp",
        "bl {prepare}",
        "mov x16, x0",
        "mov w2, w1",
        "ldp x0, x1, [sp, #16]",
        "ldp x29, x30, [sp], #32",
        ".cfi_adjust_cfa_offset -32",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "br x16",
        ".cfi_endproc",
        prepare = sym prepare_dlmopen,
    )
}
