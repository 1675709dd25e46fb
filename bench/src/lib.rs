//! Workloads for memory allocators, and the programs that run and compare them.
//!
//! A workload is a plain function over a [`Table`](table::Table) of allocation functions, so the
//! same code runs in process against a linked allocator and, in a program of its own, against
//! whatever `malloc` that program was started with.
//!
//! Modules are declared bottom to top; each looks only downwards.

pub mod table;

pub mod owned;

pub mod buffer;

pub mod placement;

pub mod mapped;

pub mod ring;

pub mod random;

pub mod meter;

pub mod crew;

pub mod stack;

pub mod trace;

pub mod workloads;

pub mod latency;

pub mod cli;

#[cfg(feature = "reports")]
pub mod driver;
