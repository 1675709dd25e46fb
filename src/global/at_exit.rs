//! The process's end, whatever carries this library: a C program, the shared library under one, or a Rust program.

use super::look::{is_young, look_at_exit, print_stats, wants_stats_at_exit};
use super::profile_out;
use super::threads::own;
use crate::cache::ThreadCache;
use crate::report::{self, Output};

/// Called once, by `exit` or when the object that holds this library is unloaded, after the program's own handlers.
#[unsafe(link_section = ".fini_array")]
#[used]
static AT_EXIT: extern "C" fn() = at_exit;

#[unsafe(link_section = ".text.hot.life")]
extern "C" fn at_exit() {
    if wants_stats_at_exit() {
        print_stats(|line| report::write(Output::Statistics, line));
    }
    profile_out::print_at_exit();
    if !is_young() {
        look_at_exit();
    } else if let Some(cache) = own().filter(|cache| !cache.is_interrupted()) {
        audit(cache);
    }
}

/// Checks what is in the cache of the calling thread, the only one. It has a part of the stack for itself.
#[unsafe(link_section = ".text.hot.life")]
#[inline(never)]
fn audit(cache: &ThreadCache) {
    cache.audit_own();
}
