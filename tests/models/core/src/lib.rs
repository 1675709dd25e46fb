//! The core library for the shipped files: all of it, but with atomics that loom watches (`sync/atomic.rs`), in a world whose
//! kernel is simulated (`world.rs`). A crate that says `extern crate models_core as core` compiles them as they are.

pub use ::core::*;

pub mod world;

/// `core::sync` with other atomics.
pub mod sync {
    pub use ::core::sync::*;
    pub mod atomic;
}
