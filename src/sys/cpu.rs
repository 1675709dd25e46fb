//! Which CPU runs the caller, and which may.

use super::syscall::call;

/// The number of the CPU that runs the caller; 0 where the kernel does not tell.
pub(crate) fn current_cpu() -> usize {
    match super::rseq::cpu() {
        Some(kept) => kept as usize,
        None => asked_cpu().unwrap_or(0),
    }
}

/// The same, where nobody keeps it.
pub(super) fn asked_cpu() -> Option<usize> {
    let mut cpu: u32 = 0;
    // SAFETY: the kernel writes one unsigned int to `cpu`.
    let answer = unsafe { call(libc::SYS_getcpu, [(&raw mut cpu) as usize, 0, 0, 0, 0, 0]) };
    answer.value()?;
    Some(cpu as usize)
}

/// Sets the bits of the CPUs that the calling thread may run on; `false` where the kernel does not tell, or has more of them.
pub(crate) fn allowed_cpus(bits: &mut [u64]) -> bool {
    bits.fill(0);
    let arguments = [0, size_of_val(bits), bits.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel writes at most so many bytes to `bits`.
    let answer = unsafe { call(libc::SYS_sched_getaffinity, arguments) };
    answer.value().is_some()
}

#[cfg(not(simulated))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_that_runs_a_thread_is_one_that_may() {
        let mut bits = [0; 128];
        assert!(allowed_cpus(&mut bits));
        for cpu in [current_cpu(), asked_cpu().unwrap()] {
            assert!(bits[cpu / 64] >> (cpu % 64) & 1 != 0);
        }
    }
}
