//! A handler on an alternate stack, after every single instruction.
#![cfg(target_arch = "x86_64")]

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::library::{Leaf, Library};
use crate::{ours, theirs};

static STEPS: AtomicUsize = AtomicUsize::new(0);
static WRONG: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handler(_signal: c_int) {
    let (ours, theirs) = (ours(), theirs());
    STEPS.fetch_add(1, Relaxed);
    if ours[1..] != theirs[1..] {
        WRONG.fetch_add(1, Relaxed);
        eprintln!("{ours:x?}\n{theirs:x?}");
    }
}

unsafe extern "C" fn nothing(_data: *mut c_void) {}

/// Sets the processor's trap flag, or clears it.
#[unsafe(naked)]
extern "C" fn trap(is_on: bool) {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "pushfq",
        ".cfi_adjust_cfa_offset 8",
        "and qword ptr [rsp], ~0x100",
        "movzx edi, dil",
        "shl edi, 8",
        "or qword ptr [rsp], rdi",
        "popfq",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
    )
}

#[test]
fn a_stack_is_right_at_every_instruction() {
    let mut alternate = vec![0_u8; 256 << 10];
    let stack = libc::stack_t {
        ss_sp: alternate.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: alternate.len(),
    };
    // SAFETY: null is all zeroes.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: the stack outlives the signals.
    let answer = unsafe { libc::sigaltstack(&stack, core::ptr::null_mut()) };
    assert_eq!(answer, 0);
    // SAFETY: a signal that nobody else uses.
    let answer = unsafe { libc::sigaction(libc::SIGTRAP, &action, core::ptr::null_mut()) };
    assert_eq!(answer, 0);
    theirs();
    for flag in ["-fomit-frame-pointer", "-fno-omit-frame-pointer"] {
        let library = Library::open(&[flag]);
        let leaf: Leaf = nothing;
        trap(true);
        library.deep(8, leaf, core::ptr::null_mut());
        trap(false);
    }
    let none = libc::stack_t {
        ss_sp: core::ptr::null_mut(),
        ss_flags: libc::SS_DISABLE,
        ss_size: 0,
    };
    // SAFETY: nothing runs on it.
    unsafe { libc::sigaltstack(&none, core::ptr::null_mut()) };
    assert!(STEPS.load(Relaxed) > 300, "{STEPS:?}");
    assert_eq!(WRONG.load(Relaxed), 0, "of {STEPS:?}");
}
