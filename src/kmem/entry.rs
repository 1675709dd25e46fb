//! The pool of a cache's slabs on one node, and what may be made of zeroes here.

use super::cache::NamedCache;
use super::store::StorePools;
use crate::slab::{Pool, Waiting};
use crate::sync::{CachePadded, Lock, StaticRef};
use crate::sys::ZeroInit;

/// The slabs of a cache on one node.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) pool: Lock<Pool>,
    /// Held while a slab is made for it.
    pub(super) growing: Lock<()>,
    /// Slabs that wait for a grace period.
    pub(super) waiting: Lock<Waiting>,
    /// That of the next node.
    pub(super) next: StaticRef<CachePadded<Entry>>,
}

// SAFETY: zero is two free locks, one around a pool without slabs (`slab/pools.rs`), and a reference to nothing; all changes are
// under the locks.
unsafe impl ZeroInit for CachePadded<Entry> {}
// SAFETY: as above, for several.
unsafe impl ZeroInit for StorePools {}
// SAFETY: made of entries and atomics; zero is a structure that is no cache.
unsafe impl ZeroInit for NamedCache {}
// SAFETY: null is no reference.
unsafe impl ZeroInit for StaticRef<NamedCache> {}
