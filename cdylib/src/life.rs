//! The library's end: statistics when the program asked for them, and a last look for crimes.

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
