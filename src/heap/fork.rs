//! A heap across fork(2): all locks are held while the process is copied, so the copy is whole.
#![forbid(unsafe_code)]

use super::Heap;
use super::node::Node;

impl Heap {
    /// Takes every lock from the top down.
    pub(crate) fn acquire(&self) {
        self.nodes().for_each(Node::acquire);
        self.huge.acquire();
    }

    /// Frees every lock from the bottom up, in the parent.
    pub(crate) fn release(&self) {
        self.huge.release();
        self.nodes().for_each(Node::release);
    }

    /// Frees every lock in the child, where nobody waits for them.
    pub(crate) fn rearm(&self) {
        self.huge.rearm();
        self.nodes().for_each(Node::rearm);
    }
}
