//! Memory for our own tables, apart from the program's.
//!
//! # Invariant
//!
//! Memory below `used` is lent for ever: sheaves wait in barns and caches in the registry when
//! nobody needs them. The rest is untouched zeroes.

use core::ops::Range;
use core::ptr::NonNull;

use crate::slab::Sheaf;
use crate::sync::Lock;
use crate::sys::{Region, ZeroInit, page_size, placement};
use crate::units::align_up;

/// Committed at once.
const STEP: usize = 64 << 10;
/// Pieces are aligned to their size, up to this.
const MAX_ALIGN: usize = 128;
/// Where the first piece lies, a thread's cache: not at the start of a page, where much else lies.
const COLOUR: usize = 12 * MAX_ALIGN;
/// No piece lies across a multiple of this: bins compare only the lower halves of addresses.
const LINE: usize = 1 << 32;

/// Memory that grows from the front of a region, when what is committed from the start on is full.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(super) first: Region,
    pub(super) region: Region,
    pub(super) state: Lock<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) first_used: usize,
    pub(super) used: usize,
    pub(super) committed: usize,
}

impl Metadata {
    /// Memory from `first`, of which all is committed and nothing written to, and then from `region`, of which nothing is
    /// committed yet.
    pub(crate) fn new(first: Region, region: Region) -> Self {
        Self {
            first,
            region,
            state: Lock::new(State {
                first_used: COLOUR + placement(0, 32) * MAX_ALIGN,
                used: 0,
                committed: 0,
            }),
        }
    }

    /// An empty sheaf of `bytes`.
    pub(crate) fn new_sheaf(&self, bytes: usize) -> Option<Sheaf> {
        let memory = self.take(bytes)?;
        // SAFETY: the piece is as long as asked, aligned, and not across a multiple of 4 GiB.
        Some(unsafe { Sheaf::new_in(memory) })
    }

    /// A piece of `bytes`, zeroed.
    pub(crate) fn take(&self, bytes: usize) -> Option<NonNull<u8>> {
        let mut state = self.state.lock();
        let (start, end) = piece(&self.first, state.first_used, bytes)?;
        if end <= self.first.bytes() {
            state.first_used = end;
            return Some(self.first.at(start));
        }
        let (start, end) = piece(&self.region, state.used, bytes)?;
        if end > state.committed {
            let committed = align_up(end, STEP.max(page_size()))?;
            if committed > self.region.most() || !self.region.commit(state.committed, committed) {
                return None;
            }
            state.committed = committed;
        }
        state.used = end;
        Some(self.region.at(start))
    }

    /// Moves `value` to the beginning of `home`, of which all is committed, for ever.
    pub(super) fn settle<T>(home: Region, value: T) -> &'static T {
        const { assert!(align_of::<T>() <= MAX_ALIGN) };
        debug_assert!(size_of::<T>() <= home.bytes());
        let place = home.at(0).cast::<T>();
        // SAFETY: memory of the home's, which is gone, large and aligned enough.
        unsafe { place.write(value) };
        // SAFETY: written above; what is committed is never unmapped.
        unsafe { place.as_ref() }
    }

    /// A `T` of zeroes, for ever. It is not built first: a cache would be large for a small stack.
    pub(crate) fn zeroed<T: ZeroInit>(&self) -> Option<&'static T> {
        const { assert!(align_of::<T>() <= MAX_ALIGN) };
        let place = self.take(size_of::<T>())?.cast::<T>();
        // SAFETY: a fresh piece of zeroes, large and aligned enough, never lent again.
        Some(unsafe { place.as_ref() })
    }

    /// Gives the address space that nothing was put into yet back. It is taken again when it is needed and free.
    pub(crate) fn shrink(&self) {
        let state = self.state.lock();
        if let Some(kept) = align_up(state.committed, STEP.max(page_size())) {
            let _ = self.region.shrink(kept);
        }
    }

    /// Bytes that are lent.
    #[cfg(test)]
    pub(crate) fn used_bytes(&self) -> usize {
        let state = self.state.lock();
        state.first_used + state.used
    }

    /// Where what is lent lies.
    pub(super) fn extents(&self) -> [Range<usize>; 2] {
        let (first, start) = (self.first.address(), self.region.address());
        let committed = self.state.lock().committed;
        [first..first + self.first.bytes(), start..start + committed]
    }

    /// Bytes that are committed.
    pub(crate) fn committed_bytes(&self) -> usize {
        self.first.bytes() + self.state.lock().committed
    }

    /// Takes the lock, to hold it across a fork.
    pub(crate) fn hold_for_fork(&self) {
        self.state.hold_for_fork();
    }

    /// Whether nobody holds the lock at this moment.
    pub(crate) fn is_quiet(&self) -> bool {
        self.state.is_free()
    }
}

/// Where a piece of `bytes` begins and ends in a region of which so much is used.
fn piece(region: &Region, used: usize, bytes: usize) -> Option<(usize, usize)> {
    let used = used + placement(used + 64, 8) * MAX_ALIGN;
    let start = align_up(used, bytes.next_power_of_two().min(MAX_ALIGN))?;
    let start = on_one_side(region.address(), start, bytes)?;
    Some((start, start.checked_add(bytes)?))
}

/// The first offset from `start` on where `bytes` bytes do not lie across a [`LINE`].
fn on_one_side(base: usize, start: usize, bytes: usize) -> Option<usize> {
    let first = base.checked_add(start)?;
    let last = first.checked_add(bytes.saturating_sub(1))?;
    if first / LINE == last / LINE {
        return Some(start);
    }
    Some(align_up(first, LINE)? - base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(bytes: usize) -> Metadata {
        let [first, region] =
            [1 << 16, bytes].map(|bytes| Region::reserve(bytes, 0, 1 << 16).unwrap());
        assert!(first.commit(0, 1 << 16));
        Metadata::new(first, region)
    }

    #[test]
    fn pieces_are_aligned_and_apart() {
        let metadata = metadata(1 << 20);
        let small = metadata.take(64).unwrap().as_ptr() as usize;
        let sheaf = metadata.take(512).unwrap().as_ptr() as usize;
        assert_eq!((small % 64, sheaf % 128, sheaf - small), (0, 0, 128));
        assert_eq!(metadata.committed_bytes(), 64 << 10);
        // What does not fit there comes from the region, and what is smaller still fits.
        let large = metadata.take(64 << 10).unwrap().as_ptr() as usize;
        assert!(!(small..small + (64 << 10)).contains(&large));
        assert_eq!(metadata.committed_bytes(), 128 << 10);
        let next = metadata.take(64).unwrap().as_ptr() as usize;
        assert_eq!(next, sheaf + 512);
    }

    #[test]
    fn no_piece_lies_across_four_gibibytes() {
        let base = (3 << 32) - 4096;
        assert_eq!(on_one_side(base, 0, 4096), Some(0));
        assert_eq!(on_one_side(base, 2048, 2048), Some(2048));
        assert_eq!(on_one_side(base, 2112, 2048), Some(4096));
        assert_eq!(on_one_side(usize::MAX - 64, 0, 512), None);
    }

    #[test]
    fn the_region_is_the_limit() {
        let metadata = metadata(1 << 16);
        let pieces = core::iter::from_fn(|| metadata.take(512)).count();
        assert_eq!(pieces, 256 - COLOUR / 512);
        assert!(metadata.take(64).is_none());
    }
}
