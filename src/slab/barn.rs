//! A node's stock of sheaves of one class, so that they change hands whole.
//!
//! # Invariant
//!
//! Sheaves of `full` hold as many objects as the class's sheaves can; sheaves of `empty` none.
#![forbid(unsafe_code)]

use super::sheaf::{Sheaf, SheafStack};

/// Full and empty sheaves.
#[derive(Debug, Default)]
pub(crate) struct Barn {
    full: SheafStack,
    empty: SheafStack,
}

impl Barn {
    /// Takes a full sheaf.
    pub(crate) fn take_full(&mut self) -> Option<Sheaf> {
        self.full.pop()
    }

    /// Takes an empty sheaf.
    pub(crate) fn take_empty(&mut self) -> Option<Sheaf> {
        self.empty.pop()
    }

    /// Stores a full sheaf, unless there are `most` already.
    pub(crate) fn put_full(&mut self, sheaf: Sheaf, most: usize) -> Result<(), Sheaf> {
        if self.full.count() >= most {
            return Err(sheaf);
        }
        self.full.push(sheaf);
        Ok(())
    }

    /// Stores an empty sheaf.
    pub(crate) fn put_empty(&mut self, sheaf: Sheaf) {
        debug_assert!(sheaf.count() == 0);
        self.empty.push(sheaf);
    }

    /// Number of full sheaves.
    pub(crate) fn full(&self) -> usize {
        self.full.count()
    }
}
