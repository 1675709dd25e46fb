//! Random or stored lists of operations against an allocator; `--help` lists the options.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    slubmalloc_fuzz::driver::main()
}
