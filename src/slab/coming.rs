//! Slabs that come from the arena and go back to it.
#![forbid(unsafe_code)]

use super::cache_node::{CacheNode, EMPTY_LIST};
use super::class::info;
use super::place::Place;
use crate::arena::{Span, Use};
use crate::sys::usdt;
use crate::units::{ClassId, GranuleIndex, Order};

/// A slab that is in no cache node yet.
#[derive(Debug)]
#[must_use = "a dropped slab is a leak"]
pub(crate) struct NewSlab {
    pub(super) slab: GranuleIndex,
    pub(super) is_clean: bool,
}

impl CacheNode {
    /// Makes a slab for a cache node, whose lock the caller does not hold: memory for it may have to be committed.
    pub(crate) fn new_slab(place: Place<'_>, id: ClassId) -> Option<NewSlab> {
        let pages = info(id).slab_pages();
        let span = place.arena.take(pages, Order::holding(pages), Use::Slab)?;
        enter(place, id, span)
    }

    /// As [`Self::new_slab`], from memory that the arena has at hand; `None` also where its lock does not become free soon.
    pub(crate) fn new_slab_soon(place: Place<'_>, id: ClassId) -> Option<NewSlab> {
        let pages = info(id).slab_pages();
        let span = place
            .arena
            .take_soon(pages, Order::holding(pages), Use::Slab)?;
        enter(place, id, span)
    }

    /// Adds a slab that `new_slab` made.
    pub(crate) fn add(&mut self, place: Place<'_>, new: NewSlab) {
        let NewSlab { slab, is_clean } = new;
        let record = place.tables.record(slab);
        if is_clean {
            record.set_clean();
            // Until objects come back there is nothing to give back.
            record.needs_no_visit();
        } else {
            place.tables.set_due(slab);
        }
        record.set_cluster(place.cluster);
        self.slabs += 1;
        if let Some(place) = self.added.iter_mut().find(|place| **place == 0) {
            *place = slab.0 + 1;
        }
        if let Some(list) = self.lists.get_mut(EMPTY_LIST) {
            list.push(place.tables, slab, EMPTY_LIST as u8 + 1);
        }
    }

    /// Gives a slab back that is on no list and whose objects are all in it.
    pub(super) fn release(&mut self, place: Place<'_>, id: ClassId, slab: GranuleIndex) {
        self.slabs -= 1;
        place.give_slab(slab, id);
    }
}

#[inline(never)]
fn enter(place: Place<'_>, id: ClassId, span: Span) -> Option<NewSlab> {
    let (slab, is_clean) = (span.first.granule(), span.zero);
    if !place.enter(slab, id) {
        place.arena.give(span);
        return None;
    }
    usdt::slab_new(info(id).size, place.start_of(slab));
    Some(NewSlab { slab, is_clean })
}
