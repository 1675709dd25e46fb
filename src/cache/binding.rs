//! What a cache belongs to.
#![forbid(unsafe_code)]

use super::sizing;
use crate::heap::{Heap, Node};
use crate::units::ClassId;

/// What a living cache is tied to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    /// The heap.
    pub(crate) heap: &'static Heap,
    /// The node that it takes memory from.
    pub(crate) home: &'static Node,
}

impl Binding {
    /// How many full sheaves the barns of this class have places for.
    pub(super) fn barn_places(self, id: ClassId) -> usize {
        match self.heap.is_tiny() {
            true => 0,
            false => sizing::barn(
                id,
                self.heap.is_tight(),
                self.heap.clusters().entered_count(),
            ),
        }
    }
}
