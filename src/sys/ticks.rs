//! The processor's clock, for a build that measures itself: one instruction.

/// Ticks since some time.
#[cfg(target_arch = "x86_64")]
pub(crate) fn ticks() -> u64 {
    // SAFETY: Linux lets every program read it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Ticks since some time.
#[cfg(target_arch = "aarch64")]
pub(crate) fn ticks() -> u64 {
    let ticks: u64;
    // SAFETY: as above.
    unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}
