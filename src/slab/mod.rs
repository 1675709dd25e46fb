//! Small objects: classes, the slabs they are cut from, and the sheaves they travel in.
//!
//! An object is carved from a slab by address, untouched; a sheaf carries it to a thread, which
//! hands it out. Freed, it goes into a sheaf of whichever thread freed it, and with it perhaps to
//! the barn, where another thread finds it. Only when the barn is full does a flush set its bit in
//! the slab's record; when all bits of a slab are set its pages go back to the arena.

mod barn;
mod bits;
pub(crate) mod class;
mod coming;
mod flush;
pub(crate) mod layout;
mod list;
mod named;
mod owner;
mod place;
mod pooled;
mod pool_slabs;
mod cache_node;
mod cache_nodes;
mod purge;
mod record;
mod request;
mod row;
mod sampled;
mod sheaf;
mod swing;
mod table;
mod validate;
mod waiting;
mod audit;

pub(crate) use audit::Audit;
pub(crate) use barn::Barn;
pub(crate) use cache_node::{CacheNode, CacheNodeCounts};
pub(crate) use cache_nodes::{CacheNodes, PLACES as CACHE_NODE_PLACES};
pub(crate) use named::{EmptySlab, NAMED};
pub(crate) use owner::{Handles, Owner};
pub(crate) use place::Place;
pub(crate) use pooled::{BadFree, Keep, PoolClass};
pub(crate) use request::{Kind, Request};
pub(crate) use sampled::Sampled;
pub(crate) use sheaf::{Object, Sheaf, SheafCell, SheafStack, Slot, sheaf_bytes};
pub(crate) use table::SlabTables;
pub(crate) use waiting::Waiting;
