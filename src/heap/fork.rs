//! A heap across fork(2): all locks are held while the process is copied, so the copy is whole.
#![forbid(unsafe_code)]

use super::Heap;
use super::node::Node;

impl Heap {
    /// Takes every lock from the top down.
    pub(crate) fn hold_for_fork(&self) {
        self.bounds.hold_for_fork();
        self.nodes().for_each(Node::hold_for_fork);
        self.huge.hold_for_fork();
    }

    /// Frees every lock from the bottom up, in parent or child.
    pub(crate) fn end_fork(&self) {
        self.huge.end_fork();
        self.nodes().for_each(Node::end_fork);
        self.bounds.end_fork();
    }
}
