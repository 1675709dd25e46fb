//! Pools and caches as types of Rust: what the C functions leave to the program, lifetimes and threads, is the compiler's.
//!
//! # Invariant
//!
//! Safe code cannot reach a block after its pool or cache gave it back: what has a block borrows what it is from. A value that is forgotten
//! keeps its memory until the pool ends, and for ever in a cache. No function panics for lack of memory.

mod arena;
mod builder;
mod cache;
mod error;
mod kept;
mod memory;
mod pool;
mod pool_box;
mod raw_cache;

pub use builder::{CacheBuilder, PoolBuilder};
pub use cache::{Cache, CacheBox};
pub use error::{AllocError, CreateError, ResetError};
pub use kept::{Kept, KeptCache};
pub use pool::{Local, LocalPool, Pool, Shared};
pub use pool_box::PoolBox;
