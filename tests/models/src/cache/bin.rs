//! A main and a spare sheaf: `src/cache/bin.rs` on memory that loom watches.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::Mistake;
use super::atomic::{AtomicPtr, AtomicU32, compiler_fence};
use super::ends::Ends;
use crate::scenario::CAPACITY;
use crate::slab::{Object, SheafCell, Slot, Slots};

#[derive(Debug)]
pub(super) struct Bin {
    ends: Ends,
    slots: Box<Slots>,
    pub(super) spare: SheafCell,
    mistake: Option<Mistake>,
}

impl Bin {
    /// An empty main sheaf and no spare one.
    pub(super) fn new(mistake: Option<Mistake>) -> Self {
        let slots = Slots::new();
        let bottom = slots.bottom();
        let ends = Ends {
            top: AtomicPtr::new(bottom),
            bottom: AtomicU32::new(bottom as u32),
            limit: AtomicU32::new(bottom.wrapping_add(CAPACITY) as u32),
        };
        Self {
            ends,
            slots,
            spare: SheafCell::new(),
            mistake,
        }
    }

    pub(super) fn pop(&self) -> Option<Object> {
        let top = match self.mistake {
            Some(Mistake::LooksFirst) => self.look_and_take(),
            _ => self.ends.take(),
        }?;
        Some(self.slots.read(top))
    }

    /// `Ends::take` in the other order.
    fn look_and_take(&self) -> Option<*mut Slot> {
        let top = self.ends.top.load(Relaxed);
        if top as u32 <= self.ends.bottom.load(Relaxed) {
            return None;
        }
        compiler_fence(SeqCst);
        self.ends.top.store(top.wrapping_sub(1), Relaxed);
        Some(top)
    }

    pub(super) fn push(&self, object: Object) -> bool {
        let top = self.ends.top.load(Relaxed);
        if top as u32 >= self.ends.limit.load(Relaxed) || self.slots.read(top) == object {
            return false;
        }
        let above = top.wrapping_add(1);
        if self.mistake == Some(Mistake::WritesLate) {
            self.ends.put(above);
            self.slots.write(above, object);
        } else {
            self.slots.write(above, object);
            self.ends.put(above);
        }
        true
    }

    pub(super) fn has_no_gap(&self) -> bool {
        self.ends.bottom_place() == self.slots.bottom()
    }

    pub(super) fn main_count(&self) -> usize {
        self.ends.count()
    }

    pub(super) fn claim(&self) -> usize {
        self.ends.claim()
    }

    pub(super) fn claimed(&self, count: usize) -> Option<Vec<Object>> {
        let first = self.ends.claimed(count)?;
        let places = (0..count).map(|place| first.wrapping_add(place));
        Some(places.map(|place| self.slots.read(place)).collect())
    }

    pub(super) fn unclaim(&self, count: usize) {
        self.ends.unclaim(count);
    }

    pub(super) fn close_gap(&self, gone: usize) {
        let count = self.main_count();
        let from = self.ends.bottom_place();
        let to = from.wrapping_sub(gone);
        for place in 1..=count {
            let object = self.slots.read(from.wrapping_add(place));
            self.slots.write(to.wrapping_add(place), object);
        }
        self.ends.move_to(to, count);
    }
}
