//! Which CPU runs the caller, and which may.

use super::errno;
use super::syscall::call;

/// The number of the CPU that runs the caller; 0 where the kernel does not tell.
pub(crate) fn current_cpu() -> usize {
    match super::rseq::cpu() {
        Some(kept) => kept as usize,
        None => asked_cpu().unwrap_or(0),
    }
}

/// The same, where nobody keeps it. On most processors libc needs no system call for that.
fn asked_cpu() -> Option<usize> {
    // SAFETY: takes no argument; it fails where the kernel does not tell, and says so in `errno`.
    let cpu = errno::kept(|| unsafe { libc::sched_getcpu() });
    usize::try_from(cpu).ok()
}

/// Sets the bits of the CPUs that the calling thread may run on; `false` where the kernel does not tell, or has more of them.
pub(crate) fn allowed_cpus(bits: &mut [u64]) -> bool {
    bits.fill(0);
    let arguments = [0, size_of_val(bits), bits.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel writes at most that many bytes to `bits`.
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
