//! `dlopen` and `dlmopen` without `RTLD_DEEPBIND`. A plug-in that is opened with that flag looks into libc before it
//! looks into the preloaded library, and then frees with glibc's `free` what our `malloc` made.
//!
//! # Invariant
//!
//! Both end in a jump, so the loader sees the caller's return address, from which it knows whose `RUNPATH`, `$ORIGIN` and
//! namespace apply. They work before any constructor of ours has run.

use core::ffi::{CStr, c_char, c_int, c_long, c_void};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::loader;

/// The loader's own functions, 0 until they are needed.
// ORDERING: relaxed; every thread finds the same address.
static REAL_DLOPEN: AtomicUsize = AtomicUsize::new(0);
static REAL_DLMOPEN: AtomicUsize = AtomicUsize::new(0);

/// dlopen(3), without `RTLD_DEEPBIND` unless the configuration keeps it.
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn dlopen(file: *const c_char, mode: c_int) -> *mut c_void {
    #[cfg(target_arch = "x86_64")]
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
    );
    #[cfg(target_arch = "aarch64")]
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
    #[cfg(target_arch = "x86_64")]
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
    );
    #[cfg(target_arch = "aarch64")]
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

/// Where to jump to, and with which flags; returned in two registers.
#[repr(C)]
struct Jump {
    to: usize,
    mode: usize,
}

extern "C" fn prepare_dlopen(file: *const c_char, mode: c_int) -> Jump {
    Jump {
        to: real(&REAL_DLOPEN, c"dlopen"),
        mode: without_deepbind(file, mode),
    }
}

extern "C" fn prepare_dlmopen(namespace: c_long, file: *const c_char, mode: c_int) -> Jump {
    let mode = if namespace == libc::LM_ID_BASE {
        without_deepbind(file, mode)
    } else {
        mode as usize
    };
    Jump {
        to: real(&REAL_DLMOPEN, c"dlmopen"),
        mode,
    }
}

/// Returns the flags to pass on.
fn without_deepbind(file: *const c_char, mode: c_int) -> usize {
    if mode & libc::RTLD_DEEPBIND == 0 || file.is_null() {
        return mode as usize;
    }
    // SAFETY: dlopen(3)'s contract: a path.
    let path = unsafe { CStr::from_ptr(file) };
    if slubmalloc_core::raw::keeps_deepbind(path.to_bytes()) {
        mode as usize
    } else {
        (mode & !libc::RTLD_DEEPBIND) as usize
    }
}

/// Returns the address of the loader's function of that name.
#[cold]
fn real(place: &AtomicUsize, name: &CStr) -> usize {
    let known = place.load(Relaxed);
    if known != 0 {
        return known;
    }
    let found = match loader::next(name) {
        0 => fails as *const () as usize,
        found => found,
    };
    place.store(found, Relaxed);
    found
}

/// Stands for a function that the C library does not have.
extern "C" fn fails() -> *mut c_void {
    core::ptr::null_mut()
}
