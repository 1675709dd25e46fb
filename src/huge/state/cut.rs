//! Which pieces of free mappings go back to the kernel.
#![forbid(unsafe_code)]

use super::State;
use crate::sys::{Mapping, page_size};
use crate::units::align_up;

/// What goes back to the kernel at once: it has one lock on all mappings, and a thread that maps or touches memory waits
/// for it.
pub(in crate::huge) const PIECE: usize = 4 << 20;
const _: () = assert!(PIECE <= 16 << 20);
/// What goes back at once of what has no memory.
const VACANT_PIECE: usize = 1 << 30;

impl State {
    /// Cuts a piece of at most `bytes` off what was kept first, to go back.
    pub(in crate::huge) fn cut_oldest(&mut self, bytes: usize) -> Option<Mapping> {
        let place = self.extents.oldest()?;
        let bytes = align_up(bytes, page_size()).unwrap_or(usize::MAX);
        let piece = last_piece(self.extents.end(place), PIECE);
        let piece = self.extents.cut_tail(place, piece.min(bytes))?;
        self.excess = self.excess.saturating_sub(piece.bytes());
        self.note_kept();
        Some(piece)
    }

    /// Cuts a piece of at most `most` bytes off what the round has still to give back, but for `kept` bytes.
    pub(in crate::huge) fn cut_excess(&mut self, kept: usize, most: usize) -> Option<Mapping> {
        self.excess = self
            .excess
            .min(self.extents.kept_bytes().saturating_sub(kept));
        match self.excess {
            0 => None,
            excess => self.cut_oldest(excess.min(most)),
        }
    }

    /// A piece of what is vacant, to go back, if there are mappings enough again.
    pub(in crate::huge) fn cut_vacant(&mut self) -> Option<Mapping> {
        if self.extents.vacant_bytes() == 0 {
            return None;
        }
        let place = self.extents.longest_vacant()?;
        if self.extents.joined_sides_of(place) == 2
            && self.extents.runs() + self.budget / 8 > self.budget
        {
            return None;
        }
        self.extents.cut_tail(place, VACANT_PIECE)
    }

    /// Whether a mapping that is stored nowhere cannot go back, since the gap would make two mappings of one and
    /// there are too many.
    pub(in crate::huge) fn must_stay(&self, mapping: &Mapping) -> bool {
        self.extents.runs() > self.budget && self.extents.joined_sides(mapping) == 2
    }

    /// What goes back together with a mapping that is stored nowhere: what is vacant beside it.
    pub(in crate::huge) fn widened(&mut self, mapping: Mapping) -> Mapping {
        self.extents.with_vacant_sides(mapping, VACANT_PIECE)
    }
}

/// Length of the last piece of what ends at `end`: pieces begin at multiples of their length, so that no huge page is
/// broken.
pub(in crate::huge) fn last_piece(end: usize, most: usize) -> usize {
    end - (end - 1) / most * most
}
