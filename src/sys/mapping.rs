//! A mapping of its own: memory that comes from the kernel and goes back whole.
//!
//! # Invariant
//!
//! A mapping is owned by one value, or by one cell; what owns it may unmap it.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering::Relaxed};

use super::policy::{self, Policy};
use super::table::ZeroInit;
use super::{HugePages, memory, page_size};
use crate::units::align_up;

/// Sole ownership of a mapping.
#[derive(Debug)]
#[must_use = "a dropped mapping is a leak"]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
    /// A mark of the owner's, which parts and neighbours that become one share.
    mark: u8,
}

// SAFETY: a mapping is an address range.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps at least `bytes` of zeroed memory at a multiple of `align`, a power of two.
    pub(crate) fn new(bytes: usize, align: usize) -> Option<Self> {
        let bytes = align_up(bytes, page_size())?;
        let slack = if align > page_size() { align } else { 0 };
        let start = memory::map(bytes.checked_add(slack)?)?;
        let mapping = Self {
            start,
            bytes: bytes + slack,
            mark: 0,
        };
        if slack == 0 {
            return Some(mapping);
        }
        let lead = mapping.address().wrapping_neg() & (align - 1);
        let (mapping, tail) = mapping.split(lead + bytes);
        let mapping = mapping.without(tail)?;
        let (lead, mapping) = mapping.split(lead);
        mapping.without(lead)
    }

    /// Gives a neighbour back that is not needed, or both where the kernel does not take a part: each may be
    /// one mapping more, of which a process has a limited number.
    fn without(self, neighbour: Self) -> Option<Self> {
        let Err(neighbour) = neighbour.try_unmap() else {
            return Some(self);
        };
        if let Ok(whole) = self.join(neighbour) {
            whole.unmap();
        }
        None
    }

    /// The first byte.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// The first byte's address.
    pub(crate) fn address(&self) -> usize {
        self.start.as_ptr() as usize
    }

    /// Length in bytes, a multiple of the OS page.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes the mapping at least `bytes` long, moving its pages, not their content, if need be.
    pub(crate) fn resize(self, bytes: usize) -> Result<Self, Self> {
        let Some(bytes) = align_up(bytes, page_size()) else {
            return Err(self);
        };
        if bytes <= self.bytes {
            let (mapping, tail) = self.split(bytes);
            return match tail.try_unmap() {
                Ok(()) => Ok(mapping),
                // It is long enough as it was.
                Err(tail) => mapping.join(tail).map_err(|(mapping, _)| mapping),
            };
        }
        // SAFETY: the mapping is owned, and its old address is forgotten.
        match unsafe { memory::remap(self.start, self.bytes, bytes) } {
            Some(start) => Ok(Self {
                start,
                bytes,
                ..self
            }),
            None => Err(self),
        }
    }

    /// The owner's mark, 0 at first.
    pub(crate) fn mark(&self) -> u8 {
        self.mark
    }

    /// Marks the mapping.
    pub(crate) fn set_mark(&mut self, mark: u8) {
        self.mark = mark;
    }

    /// Has the mapping's pages come from where `policy` says.
    pub(crate) fn place(&self, policy: Policy) -> bool {
        policy::apply(policy, self.address(), self.start, self.bytes)
    }

    /// Tells the kernel whether huge pages are wanted.
    pub(crate) fn want_huge_pages(&self, wanted: HugePages) {
        memory::advise_huge_pages(self.start, self.bytes, wanted);
    }

    /// Gives the memory back; its addresses are lost where the kernel does not take them.
    pub(crate) fn unmap(self) {
        if let Err(kept) = self.try_unmap() {
            // SAFETY: the mapping is owned, and whoever used it is done.
            let _ = unsafe { memory::release_to_system(kept.start, kept.bytes) };
        }
    }

    /// Gives the memory back; itself where the kernel refuses.
    fn try_unmap(self) -> Result<(), Self> {
        // SAFETY: the mapping is owned, and whoever used it is done.
        if self.bytes == 0 || unsafe { memory::unmap(self.start, self.bytes) } {
            return Ok(());
        }
        Err(self)
    }

    /// Makes one of two mappings that lie next to each other; else they stay what they are.
    pub(crate) fn join(self, other: Self) -> Result<Self, (Self, Self)> {
        let bytes = self.bytes + other.bytes;
        if self.mark != other.mark {
            Err((self, other))
        } else if self.address() + self.bytes == other.address() {
            Ok(Self { bytes, ..self })
        } else if other.address() + other.bytes == self.address() {
            Ok(Self { bytes, ..other })
        } else {
            Err((self, other))
        }
    }

    /// Cuts the mapping in two; `at` is a multiple of the OS page.
    pub(crate) fn split(self, at: usize) -> (Self, Self) {
        // SAFETY: `at` is at most the mapping's length.
        let middle = unsafe { self.start.add(at) };
        (
            Self { bytes: at, ..self },
            Self {
                start: middle,
                bytes: self.bytes - at,
                mark: self.mark,
            },
        )
    }
}

/// A place for one mapping in a table; its users hold a lock.
#[derive(Debug, Default)]
pub(crate) struct MappingCell {
    start: AtomicPtr<u8>,
    bytes: AtomicUsize,
    mark: AtomicU8,
}

// SAFETY: made of atomics; null is no mapping.
unsafe impl ZeroInit for MappingCell {}

// ORDERING: relaxed; the lock that the cell's users hold orders all accesses.

impl MappingCell {
    /// The mapping's address, 0 for none.
    pub(crate) fn address(&self) -> usize {
        self.start.load(Relaxed) as usize
    }

    /// The mapping's length.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Stores a mapping in an empty cell.
    pub(crate) fn put(&self, mapping: Mapping) {
        debug_assert!(self.address() == 0);
        self.bytes.store(mapping.bytes, Relaxed);
        self.mark.store(mapping.mark, Relaxed);
        self.start.store(mapping.start.as_ptr(), Relaxed);
    }

    /// Takes the mapping out.
    pub(crate) fn take(&self) -> Option<Mapping> {
        let start = NonNull::new(self.start.load(Relaxed))?;
        self.start.store(core::ptr::null_mut(), Relaxed);
        Some(Mapping {
            start,
            bytes: self.bytes.load(Relaxed),
            mark: self.mark.load(Relaxed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aligned_mapping_keeps_no_slack() {
        let mapping = Mapping::new(5 << 20, 16 << 20).unwrap();
        assert_eq!(
            (mapping.address() % (16 << 20), mapping.bytes()),
            (0, 5 << 20)
        );
        mapping.unmap();
    }

    #[test]
    fn content_moves_with_the_pages() {
        let mapping = Mapping::new(1 << 20, 1).unwrap();
        // SAFETY: the mapping is a mebibyte long.
        unsafe { mapping.start().write(42) };
        let mapping = mapping.resize(64 << 20).unwrap();
        assert_eq!(mapping.bytes(), 64 << 20);
        // SAFETY: as above.
        assert_eq!(unsafe { mapping.start().read() }, 42);
        let mapping = mapping.resize(100).unwrap();
        assert_eq!(mapping.bytes(), page_size());
        mapping.unmap();
    }
}
