//! What a heap is made of: numbers and choices, which the configuration decides.
#![forbid(unsafe_code)]

use crate::limit::Limit;
use crate::numa::Choice;
use crate::sys::HugePages;

/// How a heap is made.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Address space to reserve for each node, in bytes; halved while the kernel refuses.
    pub arena_bytes: usize,
    /// Bytes of freed huge mappings to keep for reuse at most.
    pub reuse_bytes: usize,
    /// Whether less memory is worth more time, as in a kernel with `CONFIG_SLUB_TINY`.
    pub is_tiny: bool,
    /// Whether free pages go back to the system when they are more than a few.
    pub is_eager: bool,
    /// Whether sizes that a thread rarely asks for share the bins of larger ones.
    pub shares_bins: bool,
    /// Whether huge pages are wanted.
    pub huge_pages: HugePages,
    /// How much may be resident.
    pub limit: Limit,
    /// Where memory comes from on a machine with several nodes.
    pub choice: Choice,
    /// Tells the node that runs the caller, where anybody knows.
    pub current_node: fn() -> Option<u8>,
    /// How many clusters of processors have cache nodes of their own.
    pub clusters: u8,
    /// Tells which of them runs the caller.
    pub current_cluster: fn() -> u8,
    /// With no more threads than these, one serves all.
    pub few_threads: usize,
}

impl Settings {
    /// A small heap for tests, on nodes that need not exist.
    #[cfg(test)]
    pub(crate) const TEST: Self = Self {
        arena_bytes: 64 << 20,
        reuse_bytes: 0,
        is_tiny: false,
        is_eager: false,
        shares_bins: false,
        huge_pages: HugePages::System,
        limit: Limit::off(),
        choice: Choice::Local,
        current_node: || None,
        clusters: 1,
        current_cluster: || 0,
        few_threads: 1,
    };
}
