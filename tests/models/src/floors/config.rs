//! As much of the configuration as the purge thread reads.
#![forbid(unsafe_code)]

/// Whether there is a purge thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThreadChoice {
    /// Always.
    On,
    /// In programs with several threads.
    Auto,
    /// Never.
    Off,
}

/// What may be chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    /// Milliseconds in which what is unused goes.
    pub(crate) purge_ms: Option<u64>,
    /// Whether there is a purge thread.
    pub(crate) purge_thread: ThreadChoice,
    /// Statistics when the program ends.
    pub(crate) stats_at_exit: bool,
}
