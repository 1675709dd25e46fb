//! Weak references: functions and objects that the C library or the C++ runtime may not have. Only
//! assembly can make them on stable Rust.

/// The address of a symbol, 0 where there is none. With a number: of one that is declared elsewhere, perhaps not as
/// weak; the number stands for its address in a simulation.
#[doc(hidden)]
#[macro_export]
macro_rules! weak {
    ($name:literal) => {
        weak!(0, $name, ".weak ")
    };
    ($simulated:literal, $name:literal $(, $directive:literal)?) => {{
        let address: usize;
        #[cfg(simulated)]
        {
            address = $simulated;
        }
        // SAFETY: reads one word of the global offset table.
        #[cfg(all(target_arch = "x86_64", not(simulated)))]
        unsafe {
            ::core::arch::asm!(
                $(concat!($directive, $name),)?
                concat!("mov {0}, qword ptr [rip + ", $name, "@GOTPCREL]"),
                out(reg) address,
                options(nostack, preserves_flags, pure, readonly),
            );
        }
        // SAFETY: as above.
        #[cfg(all(target_arch = "aarch64", not(simulated)))]
        unsafe {
            ::core::arch::asm!(
                $(concat!($directive, $name),)?
                concat!("adrp {0}, :got:", $name),
                concat!("ldr {0}, [{0}, :got_lo12:", $name, "]"),
                out(reg) address,
                options(nostack, preserves_flags, pure, readonly),
            );
        }
        address
    }};
}

/// Whether a function of the C library is there. It is, unless the shared library imports it weakly because older C
/// libraries keep it in a library of its own.
macro_rules! is_linked {
    ($name:literal) => {
        weak!(1, $name) != 0
    };
}

/// The function at an address that the linker, the loader or the kernel gave; `None` for 0.
///
/// # Safety
///
/// `F` is a function pointer, of the type of what lies there.
pub(super) unsafe fn function_at<F: Copy>(address: usize) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*const ()>()) };
    if address == 0 {
        return None;
    }
    // A bare integer points to nothing, by the letter of Rust.
    let pointer = core::ptr::with_exposed_provenance::<()>(address);
    // SAFETY: a function pointer is the address of the function, which is there.
    Some(unsafe { core::mem::transmute_copy::<*const (), F>(&pointer) })
}
