//! A main sheaf: `src/cache/bin.rs` on memory that loom watches.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::Mistake;
use super::atomic::{AtomicPtr, AtomicU32, compiler_fence};
use super::bounds::Bounds;
use super::{Floor, Veil};
use crate::scenario::CAPACITY;
use crate::slab::{Object, Slot, Slots};

#[derive(Debug)]
pub(super) struct Bin {
    bounds: Bounds,
    slots: Box<Slots>,
    mistake: Option<Mistake>,
}

impl Bin {
    /// An empty main sheaf.
    pub(super) fn new(mistake: Option<Mistake>, is_counted: bool) -> Self {
        let slots = Slots::new();
        let bottom = slots.bottom();
        let bounds = Bounds {
            top: AtomicPtr::new(bottom),
            bottom: AtomicU32::new(bottom as u32),
            limit: AtomicU32::new(bottom.wrapping_add(CAPACITY) as u32),
            floor: Floor::new(bottom as u32, is_counted),
            veil: Veil::new(0),
        };
        Self {
            bounds,
            slots,
            mistake,
        }
    }

    pub(super) fn pop(&self) -> Option<Object> {
        let top = match self.mistake {
            Some(Mistake::LooksFirst) => self.look_and_take(),
            _ => self.bounds.take(),
        }?;
        Some(self.slots.read(top))
    }

    pub(super) fn take(&self) -> Option<Object> {
        Some(self.slots.read(self.bounds.take_past()?))
    }

    pub(super) fn shut(&self, is_shut: bool) {
        self.bounds.shut(is_shut);
    }

    /// `Bounds::take` in the other order.
    fn look_and_take(&self) -> Option<*mut Slot> {
        let top = self.bounds.top.load(Relaxed);
        if top as u32 <= self.bounds.bottom.load(Relaxed) {
            return None;
        }
        compiler_fence(SeqCst);
        self.bounds.top.store(top.wrapping_sub(1), Relaxed);
        Some(top)
    }

    pub(super) fn push(&self, object: Object) -> bool {
        let top = self.bounds.top.load(Relaxed);
        if top as u32 >= self.bounds.limit.load(Relaxed) || self.slots.read(top) == object {
            return false;
        }
        let above = top.wrapping_add(1);
        if self.mistake == Some(Mistake::WritesLate) {
            self.bounds.put(above);
            self.slots.write(above, object);
        } else {
            self.slots.write(above, object);
            self.bounds.put(above);
        }
        true
    }

    pub(super) fn has_no_gap(&self) -> bool {
        self.bounds.bottom_place() == self.slots.bottom()
    }

    pub(super) fn main_count(&self) -> usize {
        self.bounds.count()
    }

    pub(super) fn detach(&self) -> usize {
        self.bounds.detach()
    }

    pub(super) fn detached(&self, count: usize) -> Option<Vec<Object>> {
        let first = self.bounds.detached(count)?;
        let places = (0..count).map(|place| first.wrapping_add(place));
        Some(places.map(|place| self.slots.read(place)).collect())
    }

    pub(super) fn reattach(&self, count: usize) {
        self.bounds.reattach(count);
    }

    pub(super) fn close_gap(&self, gone: usize) {
        let count = self.main_count();
        let from = self.bounds.bottom_place();
        let to = from.wrapping_sub(gone);
        for place in 1..=count {
            let object = self.slots.read(from.wrapping_add(place));
            self.slots.write(to.wrapping_add(place), object);
        }
        self.bounds.move_to(to, count);
    }
}
