//! The only room with system calls, libc and assembly: what the rest asks of the machine.
//!
//! # Invariant
//!
//! Nothing here touches `errno` or allocates, and a refusal of the kernel is a plain `None` or
//! `false`.

mod hooks;
mod linux;
mod mapping;
mod prefetch;
mod probe;
mod region;
mod syscall;
mod table;
pub(crate) mod tls;

pub(crate) use hooks::{on_fork, on_thread_exit};
pub(crate) use linux::{
    abort, clear, copy, current_node, environment, futex_wait, futex_wake, is_main_thread,
    process_has_memory_policy, read_file, total_ram_bytes, virtual_memory_left, write_stderr,
};
pub(crate) use mapping::{Mapping, MappingCell};
pub(crate) use prefetch::prefetch;
pub(crate) use probe::is_privileged;
pub use probe::page_size;
pub(crate) use region::Region;
pub(crate) use table::{Table, ZeroInit};
pub(crate) use tls::thread_id;
