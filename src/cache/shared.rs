//! Sizes that a thread rarely asks for share the bin of a larger class: an object of a class that nobody else uses would
//! take a page of its own.
//!
//! # Invariant
//!
//! A size is served by the bin of its own class, or by that of the common class above it. Written by the cache's thread.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU16, Ordering::Relaxed};

use super::bin::Bin;
use super::{Binding, ThreadCache, sizing};
use crate::slab::class;
use crate::units::{ClassId, PAGE_SIZE};

/// Sizes are rare as long as fewer pages of them were brought. What is left over of larger objects is a third of that at
/// most, and a class has a page that is not full.
const RARE_PAGES: usize = 4;

// ORDERING: relaxed, see `mod.rs`.

/// The place of each size's bin.
pub(super) const fn places() -> [AtomicU16; class::FINE_ENTRIES] {
    let mut places = [const { AtomicU16::new(0) }; class::FINE_ENTRIES];
    let mut entry = 0;
    while entry < places.len() {
        places[entry] = AtomicU16::new(place(ClassId(class::FINE[entry])));
        entry += 1;
    }
    places
}

/// The place of a class's bin.
const fn place(id: ClassId) -> u16 {
    id.0 as u16 * size_of::<Bin>() as u16
}

impl ThreadCache {
    /// Has the sizes of each class served by the common class above it, or by their own.
    pub(super) fn share_bins(&self, is_shared: bool) {
        for (entry, known) in self.places.iter().enumerate() {
            let own = class::class_of(entry * class::FINE_STEP);
            let id = if is_shared { class::common(own) } else { own };
            known.store(place(id), Relaxed);
        }
    }

    /// The class that serves the sizes of class `own`.
    pub(super) fn serving(&self, own: ClassId) -> ClassId {
        if !self.is_sharing(own) {
            return own;
        }
        // Objects of it came by another way.
        if self.bin(own).has_main() {
            self.part(own);
            return own;
        }
        class::common(own)
    }

    /// The same where the bin of that class, which is `known`, has to be filled for a size of class `own`. When four
    /// pages of such objects were brought, they have a bin of their own. Where memory
    /// counts more than time they never have.
    pub(super) fn serving_anew(&self, binding: Binding, own: ClassId, known: ClassId) -> ClassId {
        if own == known || binding.heap.is_tiny() {
            return known;
        }
        let objects = sizing::refill(known, self.get(&self.refills, known));
        let brought = self.get(&self.refills, own) + objects;
        let bytes = brought * class::info(own).size as usize;
        if bytes > RARE_PAGES * PAGE_SIZE || brought > usize::from(u8::MAX) {
            self.part(own);
            return own;
        }
        self.set(&self.refills, own, brought);
        known
    }

    /// Whether the sizes of a class are served by another one.
    fn is_sharing(&self, own: ClassId) -> bool {
        let entry = class::info(own).size as usize / class::FINE_STEP;
        let known = self.places.get(entry);
        known.is_some_and(|known| known.load(Relaxed) != place(own))
    }

    /// Has the sizes of class `own` served by its own bin.
    #[cold]
    fn part(&self, own: ClassId) {
        self.set(&self.refills, own, 0);
        for (entry, known) in self.places.iter().enumerate() {
            if class::class_of(entry * class::FINE_STEP) == own {
                known.store(place(own), Relaxed);
            }
        }
    }
}
