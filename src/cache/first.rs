//! A bin's first sheaf is a small one: a thread that frees or allocates a few objects of a class
//! does not pay for the room of many.
//!
//! # Invariant
//!
//! A bin whose main sheaf is a small one has no spare.
#![forbid(unsafe_code)]

use super::bin::Bin;
use super::slow::new_sheaf;
use super::{ThreadCache, Ties, sizing};
use crate::slab::Sheaf;
use crate::units::ClassId;

impl ThreadCache {
    /// Opens an empty small sheaf in a bin without sheaves; `false` where there is no memory.
    pub(super) fn open_first(&self, ties: Ties, id: ClassId) -> bool {
        // Where a small sheaf is as large as any, the barn has them.
        let sheaf = if sizing::capacity(id) > sizing::FIRST_CAPACITY {
            ties.home.first_sheaves().lock().pop()
        } else {
            ties.home.pool(id).lock().barn.take_empty()
        };
        let Some(sheaf) = sheaf.or_else(|| new_sheaf(ties.home, sizing::FIRST_BYTES)) else {
            return false;
        };
        self.bin(id).open(sheaf, sizing::FIRST_CAPACITY);
        true
    }

    /// Moves what is in the small main sheaf to one of full size; `false` where there is no memory.
    pub(super) fn enlarge(&self, ties: Ties, id: ClassId) -> bool {
        let empty = ties.home.pool(id).lock().barn.take_empty();
        let Some(mut sheaf) = empty.or_else(|| new_sheaf(ties.home, sizing::bytes(id))) else {
            return false;
        };
        let bin = self.bin(id);
        if let Some(mut small) = bin.close() {
            let slots = sheaf.grow(small.count()).iter_mut();
            slots
                .zip(small.objects())
                .for_each(|(slot, object)| *slot = *object);
            small.clear();
            retire(ties, small);
        }
        bin.open(sheaf, sizing::capacity(id));
        true
    }
}

/// Whether a bin's main sheaf is one that grows when it is too small.
pub(super) fn is_small(bin: &Bin, id: ClassId) -> bool {
    bin.capacity() < sizing::capacity(id)
}

/// Puts an empty small sheaf away, for whichever bin needs one next.
pub(super) fn retire(ties: Ties, small: Sheaf) {
    debug_assert!(small.count() == 0);
    ties.home.first_sheaves().lock().push(small);
}
