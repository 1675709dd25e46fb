//! One system call: number and arguments in, the kernel's answer out.
//!
//! # Invariant
//!
//! `errno` is left alone. libc's wrappers store into it, and `free` must not.

/// The kernel's answer: a value, or the negated error number.
#[derive(Clone, Copy)]
pub(super) struct Answer(isize);

impl Answer {
    /// A refusal with an error number.
    #[cfg(any(test, simulated))]
    pub(super) fn refusal(errno: i32) -> Self {
        Self(-(errno as isize))
    }

    /// What was asked for.
    #[cfg(simulated)]
    pub(super) fn granted(value: usize) -> Self {
        Self(value.cast_signed())
    }

    /// The value, or `None` where the kernel refused.
    pub(super) fn value(self) -> Option<usize> {
        // Error numbers are the last page of the address space, as in every libc.
        if (-4095..0).contains(&self.0) {
            None
        } else {
            Some(self.0 as usize)
        }
    }

    /// The value, or the error number.
    pub(super) fn result(self) -> Result<usize, i32> {
        self.value().ok_or(-(self.0 as i32))
    }

    /// Whether the kernel refused with this error number.
    pub(super) fn is_error(self, errno: i32) -> bool {
        self.0 == -(errno as isize)
    }

    /// Whether the kernel did as asked.
    pub(super) fn is_ok(self) -> bool {
        self.value().is_some()
    }
}

// In tests every call can be refused.
#[cfg(all(test, not(simulated)))]
pub(super) use super::faults::{ask, call};
#[cfg(simulated)]
pub(super) use super::simulated::raw as call;
#[cfg(not(any(test, simulated)))]
pub(super) use raw as call;

/// Asks a function of libc's that answers 0 or an error number.
#[cfg(any(not(test), simulated))]
#[inline(always)]
pub(super) fn ask(function: impl FnOnce() -> i32) -> i32 {
    function()
}

/// Makes the system call `number`; unused arguments are 0.
///
/// # Safety
///
/// The call with these arguments must be sound: it may change memory that Rust knows about.
#[cfg(all(target_arch = "x86_64", not(simulated)))]
pub(super) unsafe fn raw(number: libc::c_long, arguments: [usize; 6]) -> Answer {
    let [a, b, c, d, e, f] = arguments;
    let answer: isize;
    // SAFETY: the caller vouches for the call; the kernel clobbers only rcx and r11.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    Answer(answer)
}

/// Makes the system call `number`; unused arguments are 0.
///
/// # Safety
///
/// The call with these arguments must be sound: it may change memory that Rust knows about.
#[cfg(all(target_arch = "aarch64", not(simulated)))]
pub(super) unsafe fn raw(number: libc::c_long, arguments: [usize; 6]) -> Answer {
    let [a, b, c, d, e, f] = arguments;
    let answer: isize;
    // SAFETY: the caller vouches for the call; the kernel clobbers only x0.
    unsafe {
        core::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => answer,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    Answer(answer)
}
