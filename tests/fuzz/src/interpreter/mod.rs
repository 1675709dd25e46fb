//! The interpreter: bytes to operations, operations to calls of an allocator, and a model of what must come out.
//!
//! # Invariant
//!
//! The same bytes give the same calls, whichever allocator answers and whichever program this is compiled into: the
//! fuzzing program, libFuzzer's, and the unit tests of the library. Nothing here takes memory from the allocator
//! under test.

mod block;
mod exchange;
mod given_up;
mod kernel;
mod operation;
mod owners;
mod pages;
mod player;
mod target;

pub(crate) use block::{Block, Origin};
pub(crate) use exchange::Exchange;
pub(crate) use given_up::{GivenUp, can_look};
pub(crate) use kernel::{CACHES, CONSTRUCTED, Kernel, POOLS, Source};
pub(crate) use operation::{
    Habits, New, Operation, RECORD, Record, Refusal, Release, Resize, Take,
};
pub(crate) use owners::Owners;
pub(crate) use player::{Options, Pause, Player};
pub(crate) use target::{Fault, Target};
