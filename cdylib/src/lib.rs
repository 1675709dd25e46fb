//! The C and C++ face of slubmalloc: symbols, `errno`, and no logic. With `cfg(api)` without the names of `malloc`.
//!
//! # Invariant
//!
//! Exports never call each other: such a call would go through the procedure linkage table, where
//! another library may have put itself.
#![cfg_attr(not(test), no_std)]

#[cfg(not(api))]
mod cxx;
#[cfg(preload)]
mod deepbind;
#[cfg(preload)]
mod descriptors;
mod errno;
#[cfg(not(api))]
mod exports;
#[cfg(not(api))]
mod extensions;
mod kmalloc;
mod kmem;
#[cfg(any(preload, api))]
mod imports;
#[cfg(any(preload, api))]
mod life;
#[cfg(preload)]
mod limits;
mod loader;
mod mempool;
mod own;
mod pool;
mod profile;
#[cfg(preload)]
mod properties;
mod shrinker;
mod stats_json;

/// A panic is a bug of ours; the process ends without formatting anything.
#[cfg(not(test))]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut line = slubmalloc_core::raw::Line::<256>::headline();
    line.text("internal error");
    if let Some(place) = info.location() {
        line.text(" at ")
            .text(place.file())
            .text(":")
            .number(place.line() as usize);
    }
    line.text("\n").print_on_stderr();
    // SAFETY: abort(3) may be called at any time.
    unsafe { libc::abort() }
}

// The prebuilt core library names the personality routine in its unwind tables. Hidden, it serves
// only this library; exported, it would replace the real one in every Rust library of the process.
#[cfg(not(test))]
core::arch::global_asm!(
    ".pushsection .text.rust_eh_personality,\"ax\"",
    ".globl rust_eh_personality",
    ".hidden rust_eh_personality",
    "rust_eh_personality:",
    #[cfg(target_arch = "x86_64")]
    "ud2",
    #[cfg(target_arch = "aarch64")]
    "udf #0",
    ".popsection",
);
