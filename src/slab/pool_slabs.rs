//! The slabs of a pool's class: how they come and go, and the lists that they are on.
//!
//! # Invariant
//!
//! The caller holds the pool. Full slabs are on a list as well, so that the end of a pool finds them.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::cache_node::CacheNode;
use super::class::info;
use super::place::Place;
use super::pooled::{FULL, Keep, List, PARTIAL, PoolClass};
use super::sheaf::Object;
use crate::report::check;
use crate::units::{ClassId, GranuleIndex};

// ORDERING: relaxed throughout this file; who holds the pool orders all accesses.

impl PoolClass {
    /// Makes a slab; `false` where there is no memory.
    pub(crate) fn add_slab(&self, place: Place<'_>, id: ClassId) -> bool {
        let Some(new) = CacheNode::new_slab(place, id) else {
            return false;
        };
        let record = place.tables.record(new.slab);
        if new.is_clean {
            record.set_clean();
        }
        self.size.store(info(id).size, Relaxed);
        self.divisor.store(info(id).divisor, Relaxed);
        self.push_on(place, new.slab, PARTIAL);
        true
    }

    /// Gives slabs without an object in use back.
    pub(crate) fn trim(&self, place: Place<'_>, id: ClassId) {
        let mut next = granule(&self.partial);
        while let Some(slab) = next {
            next = place.tables.record(slab).next();
            self.relist(place, id, slab, Keep::None);
        }
    }

    /// Gives all slabs back, or keeps one without an object, whatever is out; `look` sees before where the objects of each begin and how many
    /// bytes of them were ever out.
    pub(crate) fn end(
        &self,
        place: Place<'_>,
        id: ClassId,
        keep: Keep,
        mut look: impl FnMut(Object, usize),
    ) {
        let kept = match keep {
            Keep::One => self.first_partial().or_else(|| granule(&self.full)),
            Keep::None => None,
        };
        kept.inspect(|slab| self.unlink(place, *slab));
        let mut look = |slab: GranuleIndex| {
            let bytes = place.tables.record(slab).used() as usize * info(id).size as usize;
            look(place.arena.region().at(slab.offset()), bytes);
        };
        for list in [&self.partial, &self.full] {
            let mut next = granule(list);
            while let Some(slab) = next {
                let record = place.tables.record(slab);
                next = record.next();
                look(slab);
                record.set_list(0);
                place.give_slab(slab, id);
            }
            list.store(0, Relaxed);
        }
        self.forget_word();
        if let Some(kept) = kept {
            look(kept);
            place.tables.record(kept).give_all(info(id));
            self.push_on(place, kept, PARTIAL);
        }
    }

    /// Whether there are slabs.
    pub(crate) fn has_slabs(&self) -> bool {
        self.partial.load(Relaxed) != 0 || self.full.load(Relaxed) != 0
    }

    /// Objects that the program holds.
    pub(crate) fn in_use(&self, place: Place<'_>) -> usize {
        let out = |slab: GranuleIndex| place.tables.record(slab).out() as usize;
        let all: usize = self.each(place).map(out).sum();
        all - self.at_hand().count_ones() as usize
    }

    /// Checks every slab; aborts if a count is wrong.
    pub(crate) fn validate(&self, place: Place<'_>, id: ClassId) {
        let mut empty = 0;
        for slab in self.each(place) {
            let record = place.tables.record(slab);
            record.validate(info(id));
            check(
                place.is_entered(slab, id),
                "a pool's slab has another owner",
            );
            let is_full = record.available(info(id)) == 0;
            let right = if is_full { FULL } else { PARTIAL };
            check(record.list() == right, "a pool's slab is on the wrong list");
            empty += u32::from(record.out() == 0);
        }
        check(empty <= 1, "a pool keeps empty slabs");
        let (ready, known) = (self.at_hand(), self.known.load(Relaxed));
        check(ready & !known == 0, "an object at hand is in its slab");
        if let Some(slab) = self.current(place, id) {
            let first = self.first.load(Relaxed).addr() - place.arena.base() - slab.offset();
            let (first, _) = info(id).object_at(first);
            let out = place.tables.record(slab).out_of_word(info(id), first);
            check(
                known == out,
                "a word at hand is another than its record says",
            );
        }
    }

    /// A slab with an object to take.
    pub(super) fn first_partial(&self) -> Option<GranuleIndex> {
        granule(&self.partial)
    }

    fn each<'place>(
        &self,
        place: Place<'place>,
    ) -> impl Iterator<Item = GranuleIndex> + use<'place> {
        let all = move |first| {
            core::iter::successors(first, move |slab: &GranuleIndex| {
                place.tables.record(*slab).next()
            })
        };
        all(granule(&self.partial)).chain(all(granule(&self.full)))
    }

    /// Puts a slab to which objects may have come back on the list that it belongs on, or gives it back.
    pub(super) fn relist(&self, place: Place<'_>, id: ClassId, slab: GranuleIndex, keep: Keep) {
        let record = place.tables.record(slab);
        if record.list() == FULL {
            self.move_to(place, slab, PARTIAL);
        }
        if record.out() > 0 {
            return;
        }
        if self.current(place, id) == Some(slab) {
            // Nothing of its word is out any more.
            self.forget_word();
        }
        let is_only = record.next().is_none() && record.previous().is_none();
        if keep == Keep::None || !is_only {
            self.unlink(place, slab);
            place.give_slab(slab, id);
        }
    }

    pub(super) fn move_to(&self, place: Place<'_>, slab: GranuleIndex, number: u8) {
        self.unlink(place, slab);
        self.push_on(place, slab, number);
    }

    fn push_on(&self, place: Place<'_>, slab: GranuleIndex, number: u8) {
        let (list, record) = (self.list(number), place.tables.record(slab));
        let next = granule(list);
        record.set_list(number);
        record.set_previous(None);
        record.set_next(next);
        if let Some(next) = next {
            place.tables.record(next).set_previous(Some(slab));
        }
        list.store(slab.0 + 1, Relaxed);
    }

    fn unlink(&self, place: Place<'_>, slab: GranuleIndex) {
        let record = place.tables.record(slab);
        let (previous, next) = (record.previous(), record.next());
        match previous {
            Some(previous) => place.tables.record(previous).set_next(next),
            None => self
                .list(record.list())
                .store(next.map_or(0, |next| next.0 + 1), Relaxed),
        }
        if let Some(next) = next {
            place.tables.record(next).set_previous(previous);
        }
        record.set_list(0);
    }

    fn list(&self, number: u8) -> &List {
        match number {
            FULL => &self.full,
            _ => &self.partial,
        }
    }
}

/// The slab that a word stands for.
fn granule(word: &AtomicU32) -> Option<GranuleIndex> {
    word.load(Relaxed).checked_sub(1).map(GranuleIndex)
}
