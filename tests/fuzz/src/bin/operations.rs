//! Random or stored lists of operations against an allocator; `--help` lists the options.
#![forbid(unsafe_code)]

use slubmalloc_fuzz::Memory;
use std::process::ExitCode;

#[global_allocator]
static MEMORY: Memory = Memory::new();

fn main() -> ExitCode {
    slubmalloc_fuzz::driver::main()
}
