//! The pools of one node, one for each class, each under its own lock.

use super::class::{self, CLASSES};
use super::pool::Pool;
use crate::report::our_fault;
use crate::sync::{CachePadded, Lock};
use crate::sys::{Region, Table, ZeroInit};
use crate::units::ClassId;

/// A pool, and the lock that is held while a slab is made for it.
#[derive(Debug)]
struct Entry {
    pool: Lock<Pool>,
    growing: Lock<()>,
}

// SAFETY: zero is two free locks, one around a pool without slabs, and the lock guards all changes. A pool is made of
// numbers, `bool`s, and `Option`s of what is a `NonNull` by its layout, for which Rust promises that `None` is null.
unsafe impl ZeroInit for CachePadded<Entry> {}

/// All pools of a node.
#[derive(Debug)]
pub(crate) struct Pools(Table<CachePadded<Entry>>);

/// Where each class's pool lies: behind each other those that a small program uses, so that they take few pages.
static PLACES: [u8; CLASSES + 1] = {
    let mut places = [0; CLASSES + 1];
    let (mut next, mut is_first) = (1, true);
    loop {
        let mut id = 1;
        while id <= CLASSES {
            if class::is_common(id) == is_first {
                places[id] = next;
                next += 1;
            }
            id += 1;
        }
        if !is_first {
            break places;
        }
        is_first = false;
    }
};

impl Pools {
    /// Bytes to reserve.
    pub(crate) const BYTES: usize = Table::<CachePadded<Entry>>::bytes_for(CLASSES + 1);

    /// Empty pools in `region`, of which [`Self::BYTES`] are committed.
    pub(crate) fn new(region: Region) -> Self {
        Self(Table::committed(region))
    }

    /// The pool of class `id`.
    #[inline]
    pub(crate) fn get(&self, id: ClassId) -> &Lock<Pool> {
        &self.entry(id).pool
    }

    /// The lock for making slabs of class `id`.
    pub(crate) fn growing(&self, id: ClassId) -> &Lock<()> {
        &self.entry(id).growing
    }

    #[inline]
    fn entry(&self, id: ClassId) -> &Entry {
        match PLACES.get(id.index()) {
            Some(place) => self.0.get(usize::from(*place)),
            None => our_fault("a pool of spans"),
        }
    }
}
