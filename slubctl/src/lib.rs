//! Looks into the heap of a process that uses slubmalloc, from outside: nothing is called in it, and nothing stopped or
//! written to but by what says so.
#![deny(unsafe_code)]

pub mod directory;
pub mod image;
pub mod mail;
pub mod memory;
mod named_json;
pub mod read;
mod pool;
pub mod profile;
mod record;
mod request;
pub mod snapshot;
pub mod stop;
pub mod totals;
mod tracee;
pub mod view;
mod wake;
