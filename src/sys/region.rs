//! A region: reserved address space of which parts are committed and purged.
//!
//! # Invariant
//!
//! What is committed is never unmapped, so what is built on it may live for ever. Regions are
//! moved, not copied, and `split` cuts them: no two ever overlap.

#[path = "region/policy.rs"]
mod policy;

use core::ffi::CStr;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::backing::Backing;
use super::{memory, page_size};
use crate::units::align_up;

/// Sole ownership of a range of reserved addresses.
#[derive(Debug)]
#[must_use = "a dropped region is address space lost"]
pub(crate) struct Region {
    pub(super) base: NonNull<u8>,
    /// Shrinks when the tail is given back, and grows when it is taken again.
    pub(super) bytes: AtomicUsize,
    /// What it had at first, the most that it can have.
    most: usize,
    /// Bytes from the start on that are usable since before the region was cut from a larger one. They stay.
    pub(super) open: usize,
    /// Bytes on both sides that are never used, and go back with the region if it goes back whole.
    fence: usize,
    /// What the kernel was told of its pages.
    backing: Backing,
}

/// Addresses on both sides of a fenced region that are never used; a multiple of every OS page.
const FENCE: usize = 64 << 10;
/// A tail is taken again in multiples of this.
const REGROWTH: usize = 4 << 20;

// SAFETY: a region is an address range; its methods only make system calls on it.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Reserves `bytes` such that the address at `lead` is a multiple of `align`, a power of two.
    pub(crate) fn reserve(bytes: usize, lead: usize, align: usize) -> Option<Self> {
        let is_any = align <= page_size();
        let asked = bytes.checked_add(if is_any { 0 } else { align })?;
        let start = memory::reserve(asked)?;
        let address = start.as_ptr() as usize;
        let skipped = align_up(address + lead, align)? - lead - address;
        let whole = Self {
            base: start,
            bytes: asked.into(),
            most: asked,
            open: 0,
            fence: 0,
            backing: Backing::new(),
        };
        // What alignment did not need goes back, so that RLIMIT_AS is not charged for it. Both
        // ends are whole pages: `lead`, `align` and `bytes` are.
        let end = skipped + bytes;
        let is_trimmed = (end == asked || whole.shrink(end))
            // SAFETY: nobody uses what was reserved above.
            && (skipped == 0 || unsafe { memory::unmap(start, skipped) });
        if !is_trimmed {
            whole.give_back();
            return None;
        }
        let (_gone, region) = whole.split(skipped);
        Some(region)
    }

    /// As [`Self::reserve`], for what the program must not reach: the kernel puts mappings side by side, a huge block
    /// or the program's own as well, and a write beyond its bounds ends at the fence.
    pub(crate) fn reserve_fenced(bytes: usize, lead: usize, align: usize) -> Option<Self> {
        let whole = Self::reserve(bytes.checked_add(2 * FENCE)?, lead + FENCE, align)?;
        let (_fence, rest) = whole.split(FENCE);
        let (region, _fence) = rest.split(bytes);
        Some(Self {
            fence: FENCE,
            ..region
        })
    }

    /// Whether address space for `bytes` is available at this moment.
    pub(crate) fn can_reserve(bytes: usize) -> bool {
        let reserve = |bytes| Self::reserve(bytes, 0, page_size());
        let found = align_up(bytes, page_size()).and_then(reserve);
        found.map(Self::give_back).is_some()
    }

    /// Names the region for `/proc/PID/maps`.
    pub(crate) fn name(&self, name: &CStr) {
        memory::name(self.base, self.bytes(), name);
    }

    /// The address of the first byte.
    pub(crate) fn address(&self) -> usize {
        self.base.as_ptr() as usize
    }

    /// Length in bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        // ORDERING: relaxed; nothing is read through this number.
        self.bytes.load(Relaxed)
    }

    /// The byte at `offset`, which may be the end.
    pub(crate) fn at(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.bytes());
        // SAFETY: every caller's offset was computed from this region's length.
        unsafe { self.base.add(offset) }
    }

    /// Cuts the region in two.
    pub(crate) fn split(self, at: usize) -> (Self, Self) {
        let (base, middle, left) = (self.base, self.at(at), self.bytes() - at);
        let (first, second) = self.backing.split();
        let part = |base, bytes: usize, open, backing| Self {
            base,
            bytes: bytes.into(),
            most: bytes,
            open,
            fence: 0,
            backing,
        };
        let open = self.open;
        (
            part(base, at, open.min(at), first),
            part(middle, left, open.saturating_sub(at), second),
        )
    }

    /// Makes the first `bytes` usable, before there is anything in the region: one call and one mapping for all that is cut
    /// from there.
    pub(crate) fn open(&mut self, bytes: usize) -> bool {
        let done = self.commit(0, bytes);
        if done {
            self.open = bytes;
        }
        done
    }

    /// Makes the bytes from `start` to `end` usable; both are multiples of the OS page.
    pub(crate) fn commit(&self, start: usize, end: usize) -> bool {
        if end <= self.open {
            return true;
        }
        let start = start.max(self.open);
        debug_assert!(start.is_multiple_of(page_size()) && end.is_multiple_of(page_size()));
        if end > self.bytes() && !self.regrow(end) {
            return false;
        }
        let base = self.address();
        self.backing.put_into_dumps(end, base, self.bytes());
        // SAFETY: the range lies in this region.
        let done = unsafe { memory::allow(self.at(start), end - start) };
        if done {
            self.backing.note_commitment(base, start, end);
        }
        done
    }

    /// Takes a tail that was given back again, if nobody else has it by now.
    fn regrow(&self, end: usize) -> bool {
        if end > self.most {
            return false;
        }
        let bytes = self.bytes();
        // SAFETY: an address computed inside what was this region once.
        let start = unsafe { self.base.add(bytes) };
        let wanted = end.next_multiple_of(REGROWTH).min(self.most);
        let taken = [wanted, end]
            .into_iter()
            .find(|end| memory::reserve_at(start, *end - bytes));
        if let Some(end) = taken {
            // ORDERING: relaxed, see `bytes`.
            self.bytes.store(end, Relaxed);
            self.note_reservation(bytes, end);
        }
        taken.is_some()
    }

    /// The length at first, which it can reach again.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Gives the memory of `start..end` back to the kernel; it reads as zero afterwards.
    pub(crate) fn purge(&self, start: usize, end: usize) -> bool {
        debug_assert!(end <= self.bytes() && start.is_multiple_of(page_size()));
        // SAFETY: the range lies in this region, and only free pages are purged.
        unsafe { memory::release_to_system(self.at(start), end - start) }
    }

    /// Makes `start..end` a reservation without memory again, which is charged to nothing but address space.
    pub(crate) fn decommit(&self, start: usize, end: usize) -> bool {
        debug_assert!(end <= self.bytes() && start.is_multiple_of(page_size()));
        // SAFETY: the range lies in this region, and nobody uses it.
        let done = unsafe { memory::reserve_again(self.at(start), end - start) };
        if done {
            self.note_reservation(start, end);
        }
        done
    }

    /// Gives the addresses from `bytes` on back, of which nothing is committed; the caller holds
    /// the lock under which the region's owner commits. Whether that was possible.
    pub(crate) fn shrink(&self, bytes: usize) -> bool {
        let unused = self.bytes().saturating_sub(bytes);
        // SAFETY: nothing is committed there, so nobody uses it.
        let done = unused > 0 && unsafe { memory::unmap(self.at(bytes), unused) };
        if done {
            // ORDERING: relaxed, see `bytes`.
            self.bytes.store(bytes, Relaxed);
        }
        done
    }

    /// Unmaps all but the first `used` bytes, and these parts of the same fenced reservation, which lie before the region.
    /// With the parts go the fences next to them. Nobody uses any of this any more, and the region itself may lie in it.
    pub(crate) fn abandon(&self, parts: [Range<usize>; 3], used: usize) {
        let is_fenced = parts.iter().any(|part| !part.is_empty());
        let is_whole = is_fenced && self.bytes() == self.most;
        let end = self.bytes() + if is_whole { FENCE } else { 0 };
        if end > used {
            // SAFETY: the caller's promise about what lies after the used part.
            let _ = unsafe { memory::unmap(self.at(used), end - used) };
        }
        for (index, part) in parts.into_iter().enumerate() {
            if !part.is_empty() {
                let fence = if index == 0 { FENCE } else { 0 };
                let bytes = part.len() + fence;
                let distance = self.address() - part.start + fence;
                // SAFETY: the caller's promise about what lies before the region.
                let start = unsafe { self.base.sub(distance) };
                // SAFETY: as above.
                let _ = unsafe { memory::unmap(start, bytes) };
            }
        }
    }

    /// Gives the whole region back, of which nothing is used; only its memory where the kernel does not take the addresses.
    pub(crate) fn give_back(self) {
        let whole = self.bytes() + 2 * self.fence;
        // SAFETY: the fences lie around the region.
        let start = unsafe { self.base.sub(self.fence) };
        // SAFETY: nobody uses the region any more, and nobody ever used its fences.
        if self.fence > 0 && unsafe { memory::unmap(start, whole) } {
            return;
        }
        if self.bytes() > 0 && !self.shrink(0) {
            let _ = self.purge(0, self.bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_is_aligned_where_it_was_asked_to_be() {
        let region = Region::reserve(1 << 20, 1 << 16, 4 << 20).unwrap();
        assert_eq!((region.address() + (1 << 16)) % (4 << 20), 0);
        assert_eq!(region.bytes(), 1 << 20);
        assert!(region.commit(0, page_size()));
        // SAFETY: the first page is committed.
        unsafe { region.at(0).write(7) };
        assert!(region.purge(0, page_size()));
        // SAFETY: as above.
        assert_eq!(unsafe { region.at(0).read() }, 0);
    }

    #[test]
    fn what_is_given_back_in_parts_stays_given_back() {
        let region = Region::reserve(1 << 20, 0, 1 << 16).unwrap();
        assert!(region.commit(0, 1 << 17) && region.decommit(1 << 16, 1 << 17));
        region.shrink(1 << 16);
        assert_eq!(region.bytes(), 1 << 16);
    }

    #[test]
    fn a_tail_is_taken_again_when_it_is_needed_and_free() {
        let region = Region::reserve(32 << 20, 0, 1 << 16).unwrap();
        region.shrink(1 << 16);
        assert!(region.commit(1 << 16, 1 << 17));
        assert_eq!(region.bytes(), 4 << 20);
        assert!(memory::reserve_at(region.at(4 << 20), 1 << 16));
        assert!(!region.commit(4 << 20, 5 << 20));
        assert!(!region.commit(0, 64 << 20));
    }

    #[test]
    fn the_impossible_is_refused() {
        assert!(Region::reserve(usize::MAX - 4096, 0, 4096).is_none());
        let region = Region::reserve(1 << 16, 0, 1 << 16).unwrap();
        assert!(!region.commit(0, 1 << 17));
    }
}
