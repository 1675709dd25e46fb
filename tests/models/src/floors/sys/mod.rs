//! The floor `sys`: what only counts and moves is the library's, what asks the machine asks the scenario's world.

#[path = "../../../../../src/sys/backing.rs"]
mod backing;
mod descriptor;
#[path = "../../../../../src/sys/dumps.rs"]
mod dumps;
#[path = "../../../../../src/sys/fork_gate.rs"]
mod fork_gate;
#[path = "../../../../../src/sys/huge_pages.rs"]
mod huge_pages;
#[path = "../../../../../src/sys/layout.rs"]
pub(crate) mod layout;
mod machine;
#[path = "../../../../../src/sys/mapping.rs"]
mod mapping;
#[path = "../../../../../src/sys/zero.rs"]
mod zero;
#[path = "../../../../../src/sys/memory.rs"]
mod memory;
#[path = "../../../../../src/sys/placement.rs"]
mod placement;
#[path = "../../../../../src/sys/policy.rs"]
mod policy;
#[path = "../../../../../src/sys/prefetch.rs"]
mod prefetch;
#[path = "../../../../../src/sys/probe.rs"]
mod probe;
#[path = "../../../../../src/sys/properties.rs"]
mod properties;
#[path = "../../../../../src/sys/region.rs"]
mod region;
#[path = "../../../../../src/sys/renew.rs"]
mod renew;
mod rseq;
mod syscall;
#[path = "../../../../../src/sys/table.rs"]
mod table;
#[path = "../../../../../src/sys/usdt.rs"]
pub(crate) mod usdt;
#[path = "../../../../../src/sys/versioned.rs"]
mod versioned;

pub(crate) use core::world::{
    futex_wait, futex_wait as futex_wait_briefly, futex_wait_for, futex_wake, milliseconds,
    number as thread_id,
};
use fork_gate::ForkGate;

/// Numbers of threads follow each other.
pub(crate) const THREAD_ID_SHIFT: u32 = 0;

pub(crate) use descriptor::{
    FileId, STANDARD_ERROR, close_descriptor, copy_descriptor, open_to_append, path_of_stderr,
    working_folder, write_to,
};
pub(crate) use huge_pages::HugePages;
pub(crate) use machine::{
    Bell, Lifeline, abort, fork_gate, has_thread, has_too_many_addresses, is_filtered,
    is_main_thread_gone, is_vfork_child, kernel_thread_id, let_main_thread_go, libc_thread_number,
    microseconds, most_mappings, name_thread, on_own_stack, prepare_barrier, process_id, read_file,
    run_shell, show_file, sleep, start_thread, yield_now,
};
pub(crate) use machine::{PROGRAM_NAME, program_name};
pub(crate) use mapping::{Mapping, MappingCell, Properties};
pub(crate) use memory::copy;
pub(crate) use placement::{PLACEMENT_ROOM, placement};
pub(crate) use policy::{CYCLE, Policy, Stripes, node_of_page};
pub(crate) use prefetch::prefetch;
pub(crate) use probe::is_at_fixed_address;
pub use probe::page_size;
pub(crate) use properties::are_property_calls_known;
pub(crate) use region::Region;
pub(crate) use table::{Table, ZeroInit};
pub(crate) use versioned::read_versioned;
pub(crate) use zero::{clear, clear_pages};
