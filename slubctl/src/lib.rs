//! Looks into the heap of a process that uses slubmalloc, from outside: nothing is called in it, stopped or written to.
#![forbid(unsafe_code)]

pub mod directory;
pub mod image;
pub mod memory;
pub mod read;
mod record;
pub mod snapshot;
pub mod totals;
pub mod view;
