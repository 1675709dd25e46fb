//! A mapping that lies in a table.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};

use super::Mapping;
use crate::layout::{Row, fields};
use crate::sys::ZeroInit;

/// A place for one mapping in a table; its users hold a lock.
#[derive(Debug, Default)]
pub(crate) struct MappingCell {
    start: AtomicPtr<u8>,
    bytes: AtomicUsize,
    group: AtomicU32,
    mark: AtomicU8,
}

// SAFETY: made of atomics; null is no mapping.
unsafe impl ZeroInit for MappingCell {}

// ORDERING: relaxed; the lock that the cell's users hold orders all accesses.

impl MappingCell {
    /// Its layout, for readers outside of the process.
    pub(crate) const ROWS: &[Row] = fields!(MappingCell as "mapping" { start, bytes, group, mark });

    /// The mapping's address, 0 for none.
    pub(crate) fn address(&self) -> usize {
        self.start.load(Relaxed) as usize
    }

    /// The mapping's first byte.
    pub(crate) fn start(&self) -> Option<NonNull<u8>> {
        NonNull::new(self.start.load(Relaxed))
    }

    /// The mapping's length.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// The mapping's mark.
    pub(crate) fn mark(&self) -> u8 {
        self.mark.load(Relaxed)
    }

    /// The mapping's group.
    pub(crate) fn group(&self) -> u32 {
        self.group.load(Relaxed)
    }

    /// Stores a mapping in an empty cell.
    pub(crate) fn put(&self, mapping: Mapping) {
        debug_assert!(self.address() == 0);
        self.bytes.store(mapping.bytes, Relaxed);
        self.mark.store(mapping.mark, Relaxed);
        self.group.store(mapping.group, Relaxed);
        self.start.store(mapping.start.as_ptr(), Relaxed);
    }

    /// Takes the mapping out.
    pub(crate) fn take(&self) -> Option<Mapping> {
        let start = self.start()?;
        self.start.store(core::ptr::null_mut(), Relaxed);
        Some(Mapping {
            start,
            bytes: self.bytes.load(Relaxed),
            mark: self.mark.load(Relaxed),
            group: self.group.load(Relaxed),
        })
    }
}
