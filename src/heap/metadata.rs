//! Memory for our own tables, apart from the program's.
//!
//! # Invariant
//!
//! Memory below `used` is lent for ever: sheaves wait in barns and caches in the registry when
//! nobody needs them. The rest is untouched zeroes.

use core::ops::Range;
use core::ptr::NonNull;

use crate::sync::Lock;
use crate::sys::{Region, ZeroInit, page_size};
use crate::units::align_up;

/// Committed at once.
const STEP: usize = 64 << 10;
/// Pieces are aligned to their size, up to this.
const MAX_ALIGN: usize = 128;
/// No piece lies across a multiple of this: bins compare the lower halves of addresses alone.
const LINE: usize = 1 << 32;

/// Memory that grows from the front of a region.
#[derive(Debug)]
pub(crate) struct Metadata {
    region: Region,
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    used: usize,
    committed: usize,
}

impl Metadata {
    /// Memory from `region`, of which nothing is committed yet.
    pub(crate) fn new(region: Region) -> Self {
        Self {
            region,
            state: Lock::new(State {
                used: 0,
                committed: 0,
            }),
        }
    }

    /// Memory from `region`, of which all is committed and nothing written to.
    pub(crate) fn committed(region: Region) -> Self {
        let committed = region.bytes();
        Self {
            region,
            state: Lock::new(State { used: 0, committed }),
        }
    }

    /// A piece of `bytes`, zeroed.
    pub(crate) fn take(&self, bytes: usize) -> Option<NonNull<u8>> {
        let mut state = self.state.lock();
        let start = align_up(state.used, bytes.next_power_of_two().min(MAX_ALIGN))?;
        let start = on_one_side(self.region.address(), start, bytes)?;
        let end = start.checked_add(bytes)?;
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

    /// Moves `value` here for ever; `None` where there is no memory.
    pub(crate) fn place<T>(&self, value: T) -> Option<&'static T> {
        const { assert!(align_of::<T>() <= MAX_ALIGN) };
        let place = self.take(size_of::<T>())?.cast::<T>();
        // SAFETY: a fresh piece, large and aligned enough.
        unsafe { place.write(value) };
        // SAFETY: written above; what is committed is never unmapped, and the piece never lent again.
        Some(unsafe { place.as_ref() })
    }

    /// A `T` of zeroes, for ever; unlike [`Self::place`] it passes over no thread's stack.
    pub(crate) fn zeroed<T: ZeroInit>(&self) -> Option<&'static T> {
        const { assert!(align_of::<T>() <= MAX_ALIGN) };
        let place = self.take(size_of::<T>())?.cast::<T>();
        // SAFETY: a fresh piece of zeroes, large and aligned enough, never lent again.
        Some(unsafe { place.as_ref() })
    }

    /// Gives the address space that nothing was put into yet back. It is taken again when it is needed and free.
    pub(crate) fn cut(&self) {
        let state = self.state.lock();
        if let Some(kept) = align_up(state.committed, STEP.max(page_size())) {
            let _ = self.region.cut(kept);
        }
    }

    /// Bytes that are lent.
    #[cfg(test)]
    pub(crate) fn used_bytes(&self) -> usize {
        self.state.lock().used
    }

    /// Where what is lent lies.
    pub(super) fn extent(&self) -> Range<usize> {
        let start = self.region.address();
        start..start + self.committed_bytes()
    }

    /// Bytes that are committed.
    pub(crate) fn committed_bytes(&self) -> usize {
        self.state.lock().committed
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

    #[test]
    fn pieces_are_aligned_and_apart() {
        let metadata = Metadata::new(Region::reserve(1 << 20, 0, 1 << 16).unwrap());
        let small = metadata.take(64).unwrap().as_ptr() as usize;
        let sheaf = metadata.take(512).unwrap().as_ptr() as usize;
        assert_eq!((small % 64, sheaf % 128, sheaf - small), (0, 0, 128));
        assert_eq!(metadata.place(7_u64), Some(&7));
        assert_eq!(metadata.committed_bytes(), 64 << 10);
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
        let metadata = Metadata::new(Region::reserve(1 << 16, 0, 1 << 16).unwrap());
        assert_eq!(core::iter::from_fn(|| metadata.take(512)).count(), 128);
        assert!(metadata.take(64).is_none());
    }
}
