//! A hint that memory will be used soon; harmless for any address.

/// Brings the cache line at `address` near.
#[inline(always)]
pub(crate) fn prefetch(address: *const u8) {
    #[cfg(simulated)]
    let _ = address;
    #[cfg(all(target_arch = "x86_64", not(simulated)))]
    // SAFETY: a prefetch never faults.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(all(target_arch = "aarch64", not(simulated)))]
    // SAFETY: a prefetch never faults.
    unsafe {
        core::arch::asm!("prfm pstl1keep, [{0}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
}
