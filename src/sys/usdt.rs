//! Tracepoints for bpftrace, perf and SystemTap: a nop each, and a note in the file that says where it is and where its
//! arguments are.
//!
//! # Invariant
//!
//! An argument is a value in a register, and nothing asks whether anybody traces. The notes are no part of what is loaded, so
//! that the addresses in them need no relocation.
//!
//! Where a function with a tracepoint is inlined everywhere a linker may remove the function itself, and its note then has a wrong
//! address: all such functions are `#[inline(never)]`.
//!
//! The format of the notes is SystemTap's third: <https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation>.

/// Where an argument of a type is, as the notes say it: its length, and the register in the assembler's own words.
#[cfg(all(target_arch = "x86_64", not(any(simulated, miri, loom))))]
macro_rules! operand {
    ($name:ident u32) => {
        concat!("4@{", stringify!($name), ":e}")
    };
    ($name:ident usize) => {
        concat!("8@{", stringify!($name), ":r}")
    };
}
/// Readers of notes know the registers here by one name only.
#[cfg(all(target_arch = "aarch64", not(any(simulated, miri, loom))))]
macro_rules! operand {
    ($name:ident u32) => {
        concat!("4@{", stringify!($name), ":x}")
    };
    ($name:ident usize) => {
        concat!("8@{", stringify!($name), ":x}")
    };
}

#[cfg(all(target_arch = "x86_64", not(any(simulated, miri, loom))))]
macro_rules! assemble {
    ($($part:tt)*) => { core::arch::asm!($($part)*, options(att_syntax)) };
}
#[cfg(all(target_arch = "aarch64", not(any(simulated, miri, loom))))]
macro_rules! assemble {
    ($($part:tt)*) => { core::arch::asm!($($part)*) };
}

/// Defines a function for each tracepoint, which is one nop in its caller.
macro_rules! tracepoints {
    ($(
        $(#[$doc:meta])*
        $name:ident($first:ident: $First:tt $(, $more:ident: $More:tt)*);
    )*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name($first: $First $(, $more: $More)*) {
            #[cfg(any(simulated, miri, loom))]
            let _ = ($first $(, $more)*);
            #[cfg(not(any(simulated, miri, loom)))]
            // SAFETY: a nop.
            unsafe {
                assemble!(
                    "990: nop",
                    ".pushsection .note.stapsdt,\"?\",%note",
                    ".balign 4",
                    // Lengths of the owner's name and of what follows it, and the type.
                    ".long 8, 992f - 991f, 3",
                    ".asciz \"stapsdt\"",
                    // The nop; a byte by which a reader sees where the sections lie now; no count of those who trace.
                    "991: .quad 990b, _.stapsdt.base, 0",
                    ".asciz \"slubmalloc\"",
                    concat!(".asciz \"", stringify!($name), "\""),
                    concat!(".asciz \"", operand!($first $First) $(, " ", operand!($more $More))*, "\""),
                    "992: .balign 4",
                    ".popsection",
                    $first = in(reg) $first,
                    $($more = in(reg) $more,)*
                    options(nomem, nostack, preserves_flags)
                );
            }
        }
    )*};
}

// One byte, however many objects with notes are linked. It lies beside code, as perf takes its distance from where it is in the
// file for that of all code, and no linker may find that nothing needs it.
#[cfg(not(any(simulated, miri, loom)))]
core::arch::global_asm!(
    ".pushsection .stapsdt.base,\"axGR\",%progbits,.stapsdt.base,comdat",
    ".weak _.stapsdt.base",
    ".hidden _.stapsdt.base",
    "_.stapsdt.base: .space 1",
    ".size _.stapsdt.base, 1",
    ".popsection",
);

tracepoints! {
    /// A sheaf was to get `wanted` objects from the slabs of a cache node, and got `got`; fewer mean that these have no more.
    refill(class_bytes: u32, wanted: usize, got: usize);
    /// Objects came back to the slabs of a cache node.
    flush(class_bytes: u32, objects: usize);
    /// A slab was made of pages.
    slab_new(class_bytes: u32, address: usize);
    /// A slab without an object in use becomes pages again.
    slab_free(class_bytes: u32, address: usize);
    /// A large block was taken from an arena.
    large_alloc(address: usize, bytes: usize);
    /// A large block came back to its arena.
    large_free(address: usize);
    /// The kernel mapped memory for huge blocks.
    huge_map(address: usize, bytes: usize);
    /// It made such a mapping longer or shorter, perhaps elsewhere.
    huge_remap(address: usize, bytes: usize, new_address: usize, new_bytes: usize);
    /// It took such a mapping, or a part of one, back.
    huge_unmap(address: usize, bytes: usize);
    /// The kernel took memory back that was free; addresses may have stayed.
    purge(bytes: usize);
    /// A request got nothing since the system has no memory for it.
    oom(bytes: usize);
    /// A request got nothing since a limit forbids it.
    limit(bytes: usize, limit_bytes: usize);
    /// A block became a sample of the heap profile.
    sample(address: usize, bytes: usize);
}
