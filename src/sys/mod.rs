//! The only room with system calls, libc and assembly: what the rest asks of the machine.
//!
//! # Invariant
//!
//! Nothing here touches `errno` or allocates, and a refusal of the kernel is a plain `None` or
//! `false`.

#[macro_use]
mod weak;
mod backing;
mod barrier;
mod bell;
mod cpu;
mod descriptor;
mod dumps;
mod errno;
mod exit_key;
mod fence;
mod fork_gate;
#[cfg(all(test, not(any(simulated, miri))))]
pub(crate) mod forked;
#[cfg(all(test, not(simulated)))]
pub(crate) mod faults;
#[cfg(all(test, not(simulated)))]
mod faults_maps;
#[cfg(all(test, not(simulated)))]
mod faults_places;
#[cfg(all(test, not(simulated)))]
mod faults_tests;
mod hooks;
mod huge_pages;
#[cfg(all(test, not(simulated)))]
mod ledger;
mod lifeline;
pub(crate) mod layout;
mod linux;
mod mapping;
mod memory;
mod note;
mod own_stack;
mod placement;
mod policy;
mod prefetch;
mod probe;
mod properties;
mod program;
mod region;
mod renew;
mod rseq;
mod signal;
mod single;
#[cfg(simulated)]
mod simulated;
mod space;
mod spawn;
mod syscall;
mod table;
mod thread;
#[cfg(counted)]
mod ticks;
pub(crate) mod tls;
mod unwind;
pub(crate) mod usdt;
mod versioned;
mod zero;

pub(crate) use barrier::{barrier, prepare_barrier};
pub(crate) use bell::Bell;
pub(crate) use cpu::{allowed_cpus, current_cpu};
pub(crate) use descriptor::{
    FileId, Pipe, STANDARD_ERROR, close_descriptor, copy_descriptor, create_file, open_to_append,
    path_of_stderr, working_folder, write_stderr, write_to,
};
pub(crate) use exit_key::ExitKey;
pub(crate) use fence::Fence;
use fork_gate::ForkGate;
pub(crate) use hooks::{
    fork_gate, has_begun, hold_streams, on_exit, on_fork, release_streams, reset_streams,
};
pub(crate) use huge_pages::HugePages;
pub(crate) use lifeline::Lifeline;
pub(crate) use linux::{
    abort, environment, futex_wait, futex_wait_briefly, futex_wake, is_filtered, microseconds,
    milliseconds, most_mappings, process_id, read_file, show_file, sleep, total_ram_bytes,
};
pub(crate) use mapping::{Mapping, MappingCell, Properties};
#[cfg(all(test, not(simulated)))]
pub(crate) use memory::keep_from_children;
pub(crate) use memory::{copy, discard};
pub(crate) use note::define_note;
pub(crate) use own_stack::on_own_stack;
#[cfg(placed)]
pub(crate) use placement::set_placement;
pub(crate) use placement::{PLACEMENT_ROOM, placement};
pub(crate) use policy::{
    CYCLE, Policy, Stripes, allowed_nodes, current_node, node_of_page, process_has_memory_policy,
};
pub(crate) use prefetch::prefetch;
pub use probe::page_size;
pub(crate) use probe::{is_at_fixed_address, is_privileged};
pub(crate) use program::{NAME as PROGRAM_NAME, keep_program_name, program_name};
pub(crate) use properties::are_property_calls_known;
pub use properties::know_property_calls;
pub(crate) use region::Region;
pub use rseq::know_rseq;
pub(crate) use signal::{off_fault, on_fault};
pub(crate) use single::is_single_threaded;
pub use single::know_single_threaded;
pub(crate) use space::{
    address_limit, has_too_many_addresses, memory_allowed, virtual_memory_left,
};
pub(crate) use spawn::run_shell;
pub(crate) use table::{Table, ZeroInit};
pub(crate) use thread::{
    has_thread, is_main_thread, is_main_thread_gone, is_vfork_child, kernel_thread_id,
    libc_thread_number, name_thread, start_thread, yield_now,
};
#[cfg(counted)]
pub(crate) use ticks::ticks;
pub(crate) use tls::{THREAD_ID_SHIFT, thread_id};
pub use unwind::know_find_object;
pub(crate) use unwind::{backtrace, own_code};
pub(crate) use versioned::read_versioned;
pub(crate) use zero::{clear, clear_pages};
