//! The library's start and end: what it cannot import, statistics when the program asked for them, and a last look for crimes.

/// Called by the loader before `main`.
#[cfg(preload)]
#[unsafe(link_section = ".init_array")]
#[used]
static AT_START: extern "C" fn() = at_start;

#[cfg(preload)]
extern "C" fn at_start() {
    slubmalloc_core::know_single_threaded(crate::loader::next(c"__libc_single_threaded"));
    slubmalloc_core::know_find_object(crate::loader::next(c"_dl_find_object"));
}

/// Called by the loader when the process ends.
#[unsafe(link_section = ".fini_array")]
#[used]
static AT_EXIT: extern "C" fn() = at_exit;

extern "C" fn at_exit() {
    if slubmalloc_core::wants_stats_at_exit() {
        crate::extensions::print_stats();
    }
    slubmalloc_core::look_at_exit();
}
