//! A node's stock of sheaves of one class, so that they change hands whole.
//!
//! # Invariant
//!
//! Sheaves of `full` hold as many objects as the class's sheaves can; sheaves of `empty` none.
//!
//! The newest full sheaf leaves first, since its objects are likely in the cache; the oldest makes
//! room, so that nothing waits here for ever.
#![forbid(unsafe_code)]

use super::sheaf::{Sheaf, SheafStack};

/// Full sheaves that a barn has places for.
pub(crate) const PLACES: usize = 16;

/// Full and empty sheaves. All zero is an empty barn.
#[derive(Debug, Default)]
pub(crate) struct Barn {
    /// The oldest first.
    full: [Option<Sheaf>; PLACES],
    count: usize,
    empty: SheafStack,
}

impl Barn {
    /// Takes the newest full sheaf.
    pub(crate) fn take_full(&mut self) -> Option<Sheaf> {
        let newest = self.count.checked_sub(1)?;
        self.count = newest;
        self.full.get_mut(newest)?.take()
    }

    /// Takes an empty sheaf.
    pub(crate) fn take_empty(&mut self) -> Option<Sheaf> {
        self.empty.pop()
    }

    /// Stores a full sheaf; with `most` or more there, the oldest leaves for it.
    pub(crate) fn put_full(&mut self, sheaf: Sheaf, most: usize) -> Option<Sheaf> {
        let oldest = if self.count >= most.min(PLACES) {
            self.take_oldest()
        } else {
            None
        };
        if let Some(place) = self.full.get_mut(self.count) {
            *place = Some(sheaf);
            self.count += 1;
        }
        oldest
    }

    /// Stores an empty sheaf.
    pub(crate) fn put_empty(&mut self, sheaf: Sheaf) {
        debug_assert!(sheaf.count() == 0);
        self.empty.push(sheaf);
    }

    /// Number of full sheaves.
    pub(crate) fn full(&self) -> usize {
        self.count
    }

    fn take_oldest(&mut self) -> Option<Sheaf> {
        let oldest = self.full.first_mut()?.take()?;
        self.full.rotate_left(1);
        self.count -= 1;
        Some(oldest)
    }
}
