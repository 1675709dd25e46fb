//! Mutual exclusion without memory: one lock, one once.

mod counted;
mod fork;
mod lock;
mod once;
mod parts;
mod static_ref;

#[cfg(counted)]
pub(crate) use counted::{each_count, ticks_in_a_millisecond};
pub(crate) use fork::{Interrupted, begin_fork, end_fork, end_fork_in_child, is_forking};
#[cfg(test)]
pub(crate) mod one_fork;
pub(crate) use lock::{Guard, Lock};
pub(crate) use once::Once;
pub(crate) use static_ref::StaticRef;

pub(crate) use crossbeam_utils::CachePadded;
