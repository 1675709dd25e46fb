//! A node's cache of sheaves of one class, so that they change hands whole.
//!
//! # Invariant
//!
//! Sheaves of `full` hold as many objects as the class's sheaves can; sheaves of `empty` none; the
//! open one any number.
//!
//! The newest full sheaf leaves first, since its objects are likely in the cache; the oldest makes
//! room, so that nothing waits here for ever.
#![forbid(unsafe_code)]

use super::sheaf::{Sheaf, SheafStack};
use super::swing::Swing;
use crate::decay::{Elapsed, LowWatermark};

/// Full sheaves that a barn has places for.
pub(crate) const PLACES: usize = 16;

/// Full and empty sheaves. All zero is an empty barn.
#[derive(Debug, Default)]
pub(crate) struct Barn {
    /// The oldest first.
    pub(super) full: [Option<Sheaf>; PLACES],
    pub(super) count: usize,
    pub(super) empty: SheafStack,
    /// The one that objects are taken from a few at a time.
    pub(super) open: Option<Sheaf>,
    /// Whether it was recently.
    is_open_used: bool,
    /// The low watermark of full sheaves.
    low: LowWatermark,
    /// How many fewer it holds than it could, because nobody took them.
    cut: usize,
    /// Objects that threads ever took from the cache node, for readers outside of the process.
    pub(super) taken: u64,
    /// How the number of objects in use swings, in sheaves.
    swing: Swing,
}

impl Barn {
    /// Takes the newest full sheaf, for a thread that needs one.
    pub(crate) fn take_full(&mut self) -> Option<Sheaf> {
        self.swing.down();
        let newest = self.take_newest()?;
        self.note_taken(newest.count());
        Some(newest)
    }

    /// Counts objects that a thread gets.
    pub(super) fn note_taken(&mut self, objects: usize) {
        self.taken = self.taken.wrapping_add(objects as u64);
    }

    fn take_newest(&mut self) -> Option<Sheaf> {
        let Some(newest) = self.count.checked_sub(1) else {
            self.cut /= 2;
            return None;
        };
        self.count = newest;
        self.low.lower(newest);
        self.full.get_mut(newest)?.take()
    }

    /// Moves up to `wanted` objects into `sheaf`, for a thread that needs few, and returns how many.
    pub(crate) fn take_few(&mut self, sheaf: &mut Sheaf, wanted: usize) -> usize {
        let Some(mut open) = self.open.take().or_else(|| self.take_newest()) else {
            return 0;
        };
        let taken = open.pour(sheaf, wanted);
        self.note_taken(taken);
        self.is_open_used = true;
        if open.count() == 0 {
            self.put_empty(open);
        } else {
            self.open = Some(open);
        }
        taken
    }

    /// Takes the open sheaf, whatever is in it.
    pub(crate) fn take_open(&mut self) -> Option<Sheaf> {
        self.open.take()
    }

    /// Takes any sheaf that has objects.
    pub(crate) fn take_any(&mut self) -> Option<Sheaf> {
        self.take_newest().or_else(|| self.take_open())
    }

    /// Stores a sheaf that is neither full nor empty where there is none.
    pub(crate) fn put_open(&mut self, sheaf: Sheaf) {
        debug_assert!(self.open.is_none());
        self.open = Some(sheaf);
    }

    /// Takes an empty sheaf.
    pub(crate) fn take_empty(&mut self) -> Option<Sheaf> {
        self.empty.pop()
    }

    /// Stores a full sheaf; with `most` or more there, or what is left of that, the oldest leaves for it. With none at most
    /// it is that itself. Where much more comes and goes than it has places for, the newest is enough.
    pub(crate) fn put_full(&mut self, sheaf: Sheaf, most: usize) -> Option<Sheaf> {
        if most == 0 {
            return Some(sheaf);
        }
        self.swing.up();
        let most = match self.swing.is_wide() {
            true => 1,
            false => most.min(PLACES.saturating_sub(self.cut)).max(1),
        };
        let oldest = if self.count >= most {
            self.take_oldest()
        } else {
            None
        };
        if let Some(place) = self.full.get_mut(self.count) {
            *place = Some(sheaf);
            self.count += 1;
        }
        oldest
    }

    /// Stores an empty sheaf.
    pub(crate) fn put_empty(&mut self, sheaf: Sheaf) {
        debug_assert!(sheaf.count() == 0);
        self.empty.push(sheaf);
    }

    /// How many sheaves were not needed for some time; `take_idle` gives them. The barn takes no more than
    /// the others then, until it is found empty: what a program frees without taking is not worth
    /// keeping.
    pub(crate) fn excess(&mut self, elapsed: Elapsed) -> usize {
        let is_open_used = core::mem::take(&mut self.is_open_used) && elapsed.quiet == 0;
        let is_open_idle = self.open.is_some() && !is_open_used;
        let excess = self.low.excess(self.count, elapsed, 1);
        if excess > 0 {
            self.cut = PLACES - (self.count - excess);
        }
        excess + usize::from(is_open_idle)
    }

    /// Takes a sheaf that was not needed for some time: the open one, or the oldest.
    pub(crate) fn take_idle(&mut self) -> Option<Sheaf> {
        if self.is_open_used {
            None
        } else {
            self.open.take()
        }
        .or_else(|| self.take_oldest())
    }

    /// Number of objects in sheaves of which a full one has `capacity`.
    pub(crate) fn objects(&self, capacity: usize) -> usize {
        self.count * capacity + self.open.as_ref().map_or(0, Sheaf::count)
    }

    fn take_oldest(&mut self) -> Option<Sheaf> {
        let oldest = self.full.first_mut()?.take()?;
        self.full.rotate_left(1);
        self.count -= 1;
        Some(oldest)
    }
}
