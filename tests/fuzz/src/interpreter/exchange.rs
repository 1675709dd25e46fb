//! Where blocks wait that one list of operations hands to another.
#![forbid(unsafe_code)]

extern crate std;
use std::sync::{Mutex, PoisonError};

use super::block::Block;

/// How many can wait.
const PLACES: usize = 64;

/// Places for a block each.
pub(crate) struct Exchange([Mutex<Option<Block>>; PLACES]);

impl Exchange {
    /// Empty places.
    pub(crate) const fn new() -> Self {
        Self([const { Mutex::new(None) }; PLACES])
    }

    /// Leaves a block, or none, and takes what was there.
    pub(crate) fn change(&self, place: u8, block: Option<Block>) -> Option<Block> {
        let place = self.0.get(usize::from(place) % PLACES)?;
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        core::mem::replace(&mut *place, block)
    }

    /// Takes all that wait.
    pub(crate) fn leftovers(&self) -> impl Iterator<Item = Block> {
        (0..PLACES as u8).filter_map(|place| self.change(place, None))
    }
}
