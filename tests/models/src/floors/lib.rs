//! The floors of the library, compiled as they are on atomics that loom watches, above a floor `sys` whose kernel is
//! simulated; and scenarios on them.
#![expect(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "the floors have more than the scenarios use"
)]

// All that the shipped files say about `core` means this.
extern crate models_core as core;

#[path = "../../../../src/layout.rs"]
mod layout;
#[path = "../../../../src/units.rs"]
mod units;
mod sys;
#[path = "../../../../src/sync/mod.rs"]
mod sync;
#[path = "../../../../src/report/mod.rs"]
mod report;
#[path = "../../../../src/decay.rs"]
mod decay;
#[path = "../../../../src/limit/mod.rs"]
mod limit;
#[path = "../../../../src/numa/mod.rs"]
mod numa;
#[path = "../../../../src/arena/mod.rs"]
mod arena;
#[path = "../../../../src/slab/mod.rs"]
mod slab;
#[path = "../../../../src/huge/mod.rs"]
mod huge;
#[path = "../../../../src/heap/mod.rs"]
mod heap;
#[path = "../../../../src/cache/mod.rs"]
mod cache;
mod modes;
#[path = "../../../../src/kmem/mod.rs"]
mod kmem;
#[path = "../../../../src/pool/mod.rs"]
mod pool;
mod config;
pub mod global;

pub mod caches;
pub mod limits;
pub mod locks;
pub mod memory;
pub mod named;
pub mod pools;

pub use core::world::Fault;
