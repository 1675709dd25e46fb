//! The process's end, whatever carries this library: a C program, the shared library under one, or a Rust program.

use super::look::{look_at_exit, print_stats, wants_stats_at_exit};
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
    look_at_exit();
}
