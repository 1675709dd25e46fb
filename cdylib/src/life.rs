//! The start of the shared library: what it cannot import.

// What libc knows a shared library's handlers by: an address of its own.
core::arch::global_asm!(
    ".pushsection .data.rel.ro.__dso_handle, \"aw\"",
    ".p2align 3",
    ".hidden __dso_handle",
    ".globl __dso_handle",
    "__dso_handle:",
    ".quad __dso_handle",
    ".popsection",
);

/// Called by the loader before `main`.
#[unsafe(link_section = ".init_array")]
#[used]
static AT_START: extern "C" fn() = at_start;

#[unsafe(link_section = ".text.hot.life")]
extern "C" fn at_start() {
    slubmalloc_core::raw::know_single_threaded(crate::loader::next(c"__libc_single_threaded"));
    #[cfg(preload)]
    slubmalloc_core::raw::know_property_calls();
    slubmalloc_core::raw::know_find_object(crate::loader::next(c"_dl_find_object"));
    #[cfg(target_arch = "aarch64")]
    slubmalloc_core::raw::know_rseq([c"__rseq_offset", c"__rseq_size"].map(crate::loader::next));
}
