//! A heap across fork(2): all locks are held while the process is copied, so the copy is whole.
#![forbid(unsafe_code)]

use super::Heap;
use super::node::Node;

impl Heap {
    /// Takes every lock from the top down; the caller holds those of all caches.
    pub(crate) fn hold_for_fork(&self) {
        self.bounds.hold_for_fork();
        let entered = self.clusters.entered();
        self.nodes()
            .for_each(|node| node.hold_for_fork(entered.clone()));
        self.huge.hold_for_fork();
    }

    /// Whether nobody holds any lock of slabs and arenas at this moment. A signal handler that ends the
    /// process may have interrupted its own thread with one of them.
    pub(crate) fn is_quiet(&self) -> bool {
        self.nodes().all(Node::is_quiet) && self.huge.is_quiet()
    }
}
