//! The registers that a caller needs, by their numbers in the call frame information.

/// Registers of a thread, in the frame of one of its calls.
pub(super) struct Registers {
    pub(super) values: [usize; COUNT],
    /// The next instruction.
    pub(super) pc: usize,
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{COUNT, FP, RETURN, SAVED, SP, without_signature};

#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::{COUNT, FP, RETURN, SAVED, SP, without_signature};

impl Registers {
    pub(super) const NONE: Self = Self {
        values: [0; COUNT],
        pc: 0,
    };

    /// Become those of the function that this is part of; an interpreted machine has none.
    #[inline(always)]
    pub(super) fn capture(&mut self) {
        #[cfg(all(target_arch = "x86_64", not(simulated)))]
        // SAFETY: has room for all.
        unsafe {
            x86_64::capture(&mut self.values)
        };
        #[cfg(all(target_arch = "aarch64", not(simulated)))]
        // SAFETY: has room for all.
        unsafe {
            aarch64::capture(&mut self.values)
        };
        self.pc = self.values[RETURN];
    }
}

/// See "DWARF Register Number Mapping" in the System V ABI, AMD64 supplement.
#[cfg(target_arch = "x86_64")]
mod x86_64 {
    pub(in super::super) const COUNT: usize = 17;
    pub(in super::super) const FP: usize = 6;
    pub(in super::super) const SP: usize = 7;
    pub(in super::super) const RETURN: usize = 16;
    /// What a function keeps for its caller.
    pub(in super::super) const SAVED: [usize; 7] = [RETURN, FP, 3, 12, 13, 14, 15];

    /// Stores what a call preserves, and where it returns to.
    #[cfg(not(simulated))]
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn capture(values: &mut [usize; COUNT]) {
        core::arch::naked_asm!(
            "mov [rdi + 8 * 3], rbx",
            "mov [rdi + 8 * 6], rbp",
            "lea rax, [rsp + 8]",
            "mov [rdi + 8 * 7], rax",
            "mov [rdi + 8 * 12], r12",
            "mov [rdi + 8 * 13], r13",
            "mov [rdi + 8 * 14], r14",
            "mov [rdi + 8 * 15], r15",
            "mov rax, [rsp]",
            "mov [rdi + 8 * 16], rax",
            "ret",
        )
    }

    /// A return address is one.
    pub(in super::super) fn without_signature(address: usize) -> usize {
        address
    }
}

/// See "DWARF for the Arm 64-bit Architecture".
#[cfg(target_arch = "aarch64")]
mod aarch64 {
    pub(in super::super) const COUNT: usize = 32;
    pub(in super::super) const FP: usize = 29;
    pub(in super::super) const SP: usize = 31;
    pub(in super::super) const RETURN: usize = 30;
    /// What a function keeps for its caller.
    pub(in super::super) const SAVED: [usize; 12] =
        [RETURN, FP, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28];

    /// Stores what a call preserves, and where it returns to.
    #[cfg(not(simulated))]
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn capture(values: &mut [usize; COUNT]) {
        core::arch::naked_asm!(
            "add x9, x0, #8 * 19",
            "stp x19, x20, [x9]",
            "stp x21, x22, [x9, #16]",
            "stp x23, x24, [x9, #32]",
            "stp x25, x26, [x9, #48]",
            "stp x27, x28, [x9, #64]",
            "stp x29, x30, [x9, #80]",
            "mov x10, sp",
            "str x10, [x9, #96]",
            "ret",
        )
    }

    /// A return address may be signed in its upper bits.
    pub(in super::super) fn without_signature(address: usize) -> usize {
        let plain;
        // SAFETY: `xpaclri`, which does nothing on processors without signatures.
        unsafe {
            core::arch::asm!("hint #7", inout("x30") address => plain, options(nomem, nostack, preserves_flags))
        };
        plain
    }
}
