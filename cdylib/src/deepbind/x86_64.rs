//! The two functions on x86-64: a jump in the end, so that the loader sees their caller.

use core::ffi::{c_char, c_int, c_long, c_void};

use super::{REAL_DLOPEN, prepare_dlmopen, prepare_dlopen};

/// dlopen(3), without `RTLD_DEEPBIND` unless the configuration keeps it.
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn dlopen(file: *const c_char, mode: c_int) -> *mut c_void {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "endbr64",
        "test sil, {deepbind}",
        "jne 2f",
        "mov rax, qword ptr [rip + {real}]",
        "test rax, rax",
        "je 2f",
        "jmp rax",
        "2:",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "call {prepare}",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "mov esi, edx",
        "jmp rax",
        ".cfi_endproc",
        deepbind = const libc::RTLD_DEEPBIND,
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
        "endbr64",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "push rsi",
        ".cfi_adjust_cfa_offset 8",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "call {prepare}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "pop rsi",
        ".cfi_adjust_cfa_offset -8",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "jmp rax",
        ".cfi_endproc",
        prepare = sym prepare_dlmopen,
    )
}
