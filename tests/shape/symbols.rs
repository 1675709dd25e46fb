//! The symbols that the library gives and takes.

/// Everything the library exports. A new C symbol is added here and in cdylib/src/exports.rs.
pub(crate) const EXPORTS: &[&str] = &[
    // slubmalloc.h.
    "slubmalloc_alloc_onnode",
    "slubmalloc_node_of",
    // C and POSIX.
    "malloc",
    "free",
    "calloc",
    "realloc",
    "reallocarray",
    "memalign",
    "aligned_alloc",
    "posix_memalign",
    "valloc",
    "pvalloc",
    "free_sized",
    "free_aligned_sized",
    // glibc's <malloc.h>.
    "malloc_usable_size",
    "malloc_trim",
    "mallopt",
    "mallinfo",
    "mallinfo2",
    "malloc_stats",
    "malloc_info",
    "cfree",
    // The names glibc used to offer to interposers.
    "__libc_malloc",
    "__libc_free",
    "__libc_calloc",
    "__libc_realloc",
    "__libc_memalign",
    "__libc_valloc",
    "__libc_pvalloc",
    // C++ operator new and new[].
    "_Znwm",
    "_Znam",
    "_ZnwmRKSt9nothrow_t",
    "_ZnamRKSt9nothrow_t",
    "_ZnwmSt11align_val_t",
    "_ZnamSt11align_val_t",
    "_ZnwmSt11align_val_tRKSt9nothrow_t",
    "_ZnamSt11align_val_tRKSt9nothrow_t",
    // C++ operator delete and delete[].
    "_ZdlPv",
    "_ZdaPv",
    "_ZdlPvm",
    "_ZdaPvm",
    "_ZdlPvRKSt9nothrow_t",
    "_ZdaPvRKSt9nothrow_t",
    "_ZdlPvSt11align_val_t",
    "_ZdaPvSt11align_val_t",
    "_ZdlPvmSt11align_val_t",
    "_ZdaPvmSt11align_val_t",
    "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    "_ZdaPvSt11align_val_tRKSt9nothrow_t",
];

/// What the library may take from libc: nothing that could call malloc on a path inside malloc.
pub(crate) const IMPORTS: &[&str] = &[
    "__errno_location",
    "__register_atfork",
    "abort",
    "clock_gettime",
    "environ",
    "fwrite",
    "getauxval",
    "memcpy",
    "memmove",
    "memset",
    "pthread_key_create",
    "pthread_setspecific",
    "strlen",
];
