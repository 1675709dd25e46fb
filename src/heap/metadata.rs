//! Memory for our own tables, apart from the program's.
//!
//! # Invariant
//!
//! Memory below `used` is either lent or on the list of its size; the rest is untouched zeroes.

use core::ptr::NonNull;

use crate::sync::Lock;
use crate::sys::{Region, page_size};
use crate::units::align_up;

/// Committed at once.
const STEP: usize = 64 << 10;
/// Pieces are multiples of this, and aligned to their size up to [`MAX_ALIGN`].
const UNIT: usize = 64;
const MAX_ALIGN: usize = 512;
/// Sizes of which pieces come back: up to this many units.
const SIZES: usize = 64;

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
    free: [Option<NonNull<Link>>; SIZES + 1],
}

// SAFETY: the lists own the pieces on them.
unsafe impl Send for State {}

#[derive(Debug)]
struct Link {
    next: Option<NonNull<Link>>,
}

impl Metadata {
    /// Memory from `region`, of which nothing is committed yet.
    pub(crate) fn new(region: Region) -> Self {
        let state = State { used: 0, committed: 0, free: [None; SIZES + 1] };
        Self { region, state: Lock::new(state) }
    }

    /// A piece of `bytes`; its content is arbitrary.
    pub(crate) fn take(&self, bytes: usize) -> Option<NonNull<u8>> {
        let units = bytes.div_ceil(UNIT);
        let mut state = self.state.lock();
        if let Some(list) = state.free.get_mut(units)
            && let Some(piece) = *list
        {
            // SAFETY: a listed piece is ours and holds a link.
            *list = unsafe { piece.read() }.next;
            return Some(piece.cast());
        }
        let size = units * UNIT;
        let align = size.next_power_of_two().min(MAX_ALIGN);
        let start = align_up(state.used, align)?;
        let end = start.checked_add(size)?;
        if end > state.committed {
            let committed = align_up(end, STEP.max(page_size()))?;
            if !self.region.commit(state.committed, committed) {
                return None;
            }
            state.committed = committed;
        }
        state.used = end;
        Some(self.region.at(start))
    }

    /// Takes a piece of `bytes` back.
    ///
    /// # Safety
    ///
    /// The piece came from [`Self::take`] with the same `bytes` and is not used any more.
    pub(crate) unsafe fn give(&self, piece: NonNull<u8>, bytes: usize) {
        let mut state = self.state.lock();
        if let Some(list) = state.free.get_mut(bytes.div_ceil(UNIT)) {
            let piece = piece.cast::<Link>();
            // SAFETY: the piece is ours again and larger than a link.
            unsafe { piece.write(Link { next: *list }) };
            *list = Some(piece);
        }
    }

    /// Moves `value` here for ever; `None` where there is no memory.
    pub(crate) fn place<T>(&self, value: T) -> Option<&'static T> {
        const { assert!(align_of::<T>() <= MAX_ALIGN) };
        let place = self.take(size_of::<T>())?.cast::<T>();
        // SAFETY: a fresh piece, large and aligned enough.
        unsafe { place.write(value) };
        // SAFETY: written above; regions are never unmapped, and this piece is never given back.
        Some(unsafe { place.as_ref() })
    }

    /// Bytes that are committed.
    pub(crate) fn committed_bytes(&self) -> usize {
        self.state.lock().committed
    }

    /// Takes the lock, to hold it across a fork.
    pub(crate) fn hold_for_fork(&self) {
        self.state.hold_for_fork();
    }

    /// Frees the lock after a fork, in parent or child.
    pub(crate) fn end_fork(&self) {
        self.state.end_fork();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_came_back_is_lent_again() {
        let metadata = Metadata::new(Region::reserve(1 << 20, 0, 1 << 16).unwrap());
        let sheaf = metadata.take(512).unwrap();
        assert_eq!(sheaf.as_ptr() as usize % 512, 0);
        // SAFETY: taken above.
        unsafe { metadata.give(sheaf, 512) };
        assert_ne!(metadata.take(64), Some(sheaf));
        assert_eq!(metadata.take(512), Some(sheaf));
        assert_eq!(metadata.committed_bytes(), 64 << 10);
    }

    #[test]
    fn the_region_is_the_limit() {
        let metadata = Metadata::new(Region::reserve(1 << 16, 0, 1 << 16).unwrap());
        assert_eq!(core::iter::from_fn(|| metadata.take(512)).count(), 128);
        assert!(metadata.take(64).is_none());
    }
}
