//! What the shared library asks of the C library: names in versions that old ones have, and weak ones.
//!
//! # Invariant
//!
//! Nothing newer than glibc 2.17 is needed, and what lay in `libpthread.so.0` before glibc 2.34 is weak: a program
//! without threads may not have it loaded. Callers of such a function ask `is_linked!` first. The code is one
//! unit after link-time optimisation, so that what is said here holds for every reference in it.

/// Functions of threads, which glibc 2.34 moved into `libc.so.6` under a new version.
macro_rules! of_threads {
    ($version:literal: $($name:literal),* $(,)?) => {
        core::arch::global_asm!($(
            concat!(".weak ", $name),
            concat!(".symver ", $name, ", ", $name, "@", $version),
        )*);
    };
}

macro_rules! since {
    ($version:literal) => {
        of_threads!(
            $version:
            "pthread_attr_setstacksize",
            "pthread_create",
            "pthread_getcpuclockid",
            "pthread_key_create",
            "pthread_key_delete",
            "pthread_mutex_trylock",
            "pthread_mutexattr_init",
            "pthread_setspecific",
            "pthread_sigmask",
        );
    };
}

macro_rules! robust_since {
    ($version:literal) => {
        of_threads!($version: "pthread_mutex_consistent", "pthread_mutexattr_setrobust");
    };
}

#[cfg(target_arch = "x86_64")]
since!("GLIBC_2.2.5");
#[cfg(target_arch = "x86_64")]
robust_since!("GLIBC_2.12");
#[cfg(target_arch = "aarch64")]
since!("GLIBC_2.17");
#[cfg(target_arch = "aarch64")]
robust_since!("GLIBC_2.17");
