//! One pointer for each thread, found without a call.
//!
//! # Invariant
//!
//! A thread that never wrote its slot reads the symbol that `define_slot!` names.
//!
//! `thread_local!` in a shared library asks `__tls_get_addr`, which may call `malloc`; an
//! initial-exec symbol is two instructions and takes 8 bytes of the loader's spare static TLS.

#[cfg(all(target_arch = "aarch64", not(simulated)))]
mod aarch64;
#[cfg(simulated)]
mod simulated;
#[cfg(all(target_arch = "x86_64", not(simulated)))]
mod x86_64;

#[cfg(all(target_arch = "aarch64", not(simulated)))]
pub(crate) use aarch64::{read, thread_id, write};
#[cfg(simulated)]
pub(crate) use simulated::{define_slot, read, thread_id, write};
#[cfg(all(target_arch = "x86_64", not(simulated)))]
pub(crate) use x86_64::{read, thread_id, write};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("slubmalloc knows only the thread pointers of x86-64 and aarch64");

/// All numbers of threads are multiples of 2 to this: a thread's block is aligned to a cache line.
pub(crate) const THREAD_ID_SHIFT: u32 = 6;

/// Defines the slot; `$initial` is the static that a new thread's slot points to.
#[cfg(not(simulated))]
macro_rules! define_slot {
    ($initial:path) => {
        core::arch::global_asm!(
            ".pushsection .tdata,\"awT\",%progbits",
            ".balign 8",
            ".globl __slubmalloc_slot",
            ".hidden __slubmalloc_slot",
            ".type __slubmalloc_slot, %object",
            ".size __slubmalloc_slot, 8",
            "__slubmalloc_slot:",
            ".quad {initial}",
            ".popsection",
            initial = sym $initial,
        );
    };
}
#[cfg(not(simulated))]
pub(crate) use define_slot;
