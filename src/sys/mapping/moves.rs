//! Mappings that become longer or shorter, and move without their content being copied.

use core::ptr::NonNull;

use super::Mapping;
use crate::sys::{memory, page_size};
use crate::units::align_up;

/// What one entry of a page table's second level maps on machines with pages of 4 KiB.
const HUGE_PAGE_BYTES: usize = 2 << 20;
/// What one entry of its third level maps there.
const TABLE_BYTES: usize = 1 << 30;
/// From this length on moving single entries would take long.
const CONGRUENT_FROM: usize = 32 << 20;

impl Mapping {
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
        match self.stretch(bytes) {
            Ok(mapping) => Ok(mapping),
            Err(mapping) => mapping.relocate(bytes),
        }
    }

    /// Makes the mapping `bytes` long, a multiple of the OS page, where it is.
    pub(crate) fn stretch(self, bytes: usize) -> Result<Self, Self> {
        // SAFETY: the mapping is owned, and stays where it is.
        match unsafe { memory::stretch(self.start, self.bytes, bytes) } {
            true => Ok(Self { bytes, ..self }),
            false => Err(self),
        }
    }

    /// Moves the pages to where the mapping can be `bytes` long.
    fn relocate(self, bytes: usize) -> Result<Self, Self> {
        let aligned = (self.bytes >= CONGRUENT_FROM).then(|| self.move_aligned(bytes));
        let start = aligned.flatten().or_else(|| {
            // SAFETY: the mapping is owned, and its old address is forgotten.
            unsafe { memory::remap(self.start, self.bytes, bytes) }
        });
        match start {
            Some(start) => Ok(Self {
                start,
                bytes,
                mark: self.mark,
                group: self.group,
            }),
            None => Err(self),
        }
    }

    /// Moves the pages to an address that is as far from a huge page's start, or from that of a whole table of
    /// them: the kernel then moves tables, not their entries, and holds its lock for microseconds.
    fn move_aligned(&self, bytes: usize) -> Option<NonNull<u8>> {
        let align = match self.bytes >= TABLE_BYTES {
            true => TABLE_BYTES,
            false => HUGE_PAGE_BYTES,
        };
        let room = memory::reserve(bytes.checked_add(align)?)?;
        let room = Self {
            start: room,
            bytes: bytes + align,
            mark: 0,
            group: 0,
        };
        let lead = self.address().wrapping_sub(room.address()) & (align - 1);
        let (lead, rest) = room.split(lead);
        let (target, tail) = rest.split(bytes);
        lead.unmap();
        tail.unmap();
        // SAFETY: both ranges are owned; what is at the target was reserved above.
        let moved = unsafe { memory::remap_to(self.start, self.bytes, bytes, target.start) };
        if moved {
            return Some(target.start);
        }
        target.unmap();
        None
    }
}
