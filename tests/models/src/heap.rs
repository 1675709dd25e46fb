//! Where objects go that a cache does not keep.
#![forbid(unsafe_code)]

use loom::cell::Cell;

use crate::slab::Object;
use crate::units::ClassId;

/// The only node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node;

/// Objects that no cache holds. With one cache, whose slow paths have its lock, it needs none of its own.
#[derive(Debug)]
pub(crate) struct Heap(Cell<Vec<Object>>);

impl Heap {
    /// A heap without objects.
    pub(crate) fn new() -> Self {
        Self(Cell::new(Vec::new()))
    }

    /// Takes objects back.
    pub(crate) fn take_back_unmoved(&self, _home: Node, _id: ClassId, mut objects: Vec<Object>) {
        let mut all = self.0.take();
        all.append(&mut objects);
        self.0.set(all);
    }

    /// Gives an object out.
    pub(crate) fn take(&self) -> Option<Object> {
        let mut all = self.0.take();
        let object = all.pop();
        self.0.set(all);
        object
    }
}
