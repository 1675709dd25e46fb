//! A mapping of its own: memory that comes from the kernel and goes back whole.
//!
//! # Invariant
//!
//! A mapping is owned by one value, or by one cell; what owns it may unmap it.

#[path = "mapping/cell.rs"]
mod cell;
#[path = "mapping/moves.rs"]
mod moves;

use core::ptr::NonNull;

use super::policy::{self, Policy};
use super::{HugePages, huge_pages, memory, page_size, zero};
use crate::units::align_up;
pub(crate) use cell::MappingCell;

/// Sole ownership of a mapping.
#[derive(Debug)]
#[must_use = "a dropped mapping is a leak"]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
    /// A mark of the owner's, which parts and neighbours that become one share.
    mark: u8,
    /// Adjacent mappings of one group are surely one mapping to the kernel.
    group: u32,
}

/// Whether a range still has the properties that it was mapped with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Properties {
    /// All of it has the same.
    Uniform,
    /// A part has others, or the kernel does not say.
    Mixed,
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
            group: 0,
        };
        if slack == 0 {
            return Some(mapping);
        }
        // As high as possible: the kernel puts mappings below each other, and without a gap they are one.
        let lead = mapping.highest_aligned(bytes, align)?;
        let (mapping, tail) = mapping.split(lead + bytes);
        let mapping = mapping.without(tail)?;
        let (lead, mapping) = mapping.split(lead);
        mapping.without(lead)
    }

    /// The offset of the last multiple of `align` with `bytes` after it.
    pub(crate) fn highest_aligned(&self, bytes: usize, align: usize) -> Option<usize> {
        let last = self.address() + self.bytes.checked_sub(bytes)?;
        (last & !(align - 1)).checked_sub(self.address())
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

    /// Whether program or kernel gave a part other properties than the rest: access, advice, locks, seals.
    pub(crate) fn properties(&self) -> Properties {
        // SAFETY: the mapping is owned.
        match unsafe { memory::is_uniform(self.start, self.bytes) } {
            true => Properties::Uniform,
            false => Properties::Mixed,
        }
    }

    /// Replaces the mapping by a fresh one at the same address; itself where the kernel refuses.
    pub(crate) fn renew(self, huge_pages: HugePages) -> Result<Self, Self> {
        let Some(start) = memory::map(self.bytes) else {
            return Err(self);
        };
        let fresh = Self {
            start,
            bytes: self.bytes,
            mark: self.mark,
            group: self.group,
        };
        fresh.want_huge_pages(huge_pages);
        // SAFETY: both ranges are owned, and nobody needs the old one's content.
        if unsafe { memory::remap_to(fresh.start, fresh.bytes, fresh.bytes, self.start) } {
            return Ok(self);
        }
        fresh.unmap();
        Err(self)
    }

    /// Gives the memory back and keeps the addresses, which read as zeroes; `false` where the kernel
    /// refuses.
    pub(crate) fn vacate(&self) -> bool {
        // SAFETY: the mapping is owned, and nobody uses it any more.
        unsafe { memory::release_to_system(self.start, self.bytes) }
    }

    /// Copies to a mapping that holds zeroes and is no shorter. Pages of zeroes are not written, so that they need no
    /// memory there either.
    pub(crate) fn copy_to(&self, target: &Self) {
        for offset in (0..self.bytes.min(target.bytes)).step_by(page_size()) {
            // SAFETY: inside of the mapping.
            let from = unsafe { self.start.add(offset) };
            // SAFETY: as above.
            let to = unsafe { target.start.add(offset) };
            // SAFETY: whole pages of two mappings, which are owned.
            unsafe { zero::copy_page(from, to) };
        }
    }

    /// The group, 0 at first.
    pub(crate) fn group(&self) -> u32 {
        self.group
    }

    /// Puts the mapping into a group.
    pub(crate) fn set_group(&mut self, group: u32) {
        self.group = group;
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
        policy::apply(policy, self.address(), self.address(), self.bytes)
    }

    /// Tells the kernel whether huge pages are wanted.
    pub(crate) fn want_huge_pages(&self, wanted: HugePages) {
        huge_pages::advise(self.address(), self.bytes, wanted);
    }

    /// Gives the memory back; its addresses are lost where the kernel does not take them.
    pub(crate) fn unmap(self) {
        if let Err(kept) = self.try_unmap() {
            // SAFETY: the mapping is owned, and nobody uses it any more.
            let _ = unsafe { memory::release_to_system(kept.start, kept.bytes) };
        }
    }

    /// Gives the memory back; itself where the kernel refuses.
    pub(crate) fn try_unmap(self) -> Result<(), Self> {
        // SAFETY: the mapping is owned, and nobody uses it any more.
        if self.bytes == 0 || unsafe { memory::unmap(self.start, self.bytes) } {
            return Ok(());
        }
        Err(self)
    }

    /// Makes one of two mappings that lie next to each other; else they stay what they are.
    pub(crate) fn join(self, other: Self) -> Result<Self, (Self, Self)> {
        let bytes = self.bytes + other.bytes;
        if self.mark != other.mark || self.group != other.group {
            Err((self, other))
        } else if self.address() + self.bytes == other.address() {
            Ok(Self { bytes, ..self })
        } else if other.address() + other.bytes == self.address() {
            Ok(Self { bytes, ..other })
        } else {
            Err((self, other))
        }
    }

    /// Cuts the mapping in two, of which the first has `bytes` or all there are.
    pub(crate) fn split_at_most(self, bytes: usize) -> (Self, Self) {
        let at = bytes.min(self.bytes);
        self.split(at)
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
                group: self.group,
            },
        )
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
