//! How far apart nodes are.
//!
//! # Invariant
//!
//! A distance of 0 is not known. On most machines nobody writes to the table, and it takes no memory.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::units::{MAX_NODES, NodeId};

/// The distance from each node to each, as the kernel reports it; 0 where it does not.
#[derive(Debug)]
pub(crate) struct Distances([[AtomicU8; MAX_NODES]; MAX_NODES]);

// ORDERING: relaxed; written before there is a heap.

impl Distances {
    /// Nothing is known.
    pub(crate) const fn unknown() -> Self {
        Self([const { [const { AtomicU8::new(0) }; MAX_NODES] }; MAX_NODES])
    }

    /// The distance that memory of `to` has for a CPU of `from`, if it is known.
    pub(super) fn get(&self, from: NodeId, to: NodeId) -> Option<u8> {
        let distance = self.entry(from, to)?.load(Relaxed);
        (distance != 0).then_some(distance)
    }

    /// Stores it.
    pub(super) fn set(&self, from: NodeId, to: NodeId, distance: u8) {
        if let Some(entry) = self.entry(from, to) {
            entry.store(distance, Relaxed);
        }
    }

    fn entry(&self, from: NodeId, to: NodeId) -> Option<&AtomicU8> {
        self.0.get(from.index())?.get(to.index())
    }
}

#[cfg(test)]
impl Distances {
    /// A table of a test's own.
    pub(super) fn leaked() -> &'static Self {
        extern crate std;
        std::boxed::Box::leak(std::boxed::Box::new(Self::unknown()))
    }
}
