//! All objects of a cache are looked at, as its flags ask for: before its memory goes back, and before the program ends.
#![forbid(unsafe_code)]

use super::cache::NamedCache;
use super::slabs::Slabs;
use super::{Kmem, report};
use crate::slab::Place;
use crate::sys;
use crate::units::GranuleIndex;

/// Milliseconds in which a thread has done what it was doing with an object.
const PATIENCE: u64 = 10;

impl Kmem {
    /// Looks at the objects of all caches.
    pub(crate) fn look_at_objects(&self) {
        // None of them is destroyed meanwhile.
        let _visiting = self.visiting.lock();
        for cache in self.all().filter(|cache| cache.exists()) {
            self.look_at_all(cache);
        }
    }

    /// Looks at those of a cache; what is wrong with one is reported.
    pub(super) fn look_at_all(&self, cache: &'static NamedCache) {
        if !cache.has_patterns() {
            return;
        }
        for slabs in self.all_slabs(cache) {
            for slab in slabs.each(cache) {
                for object in slabs.place().objects_known(slab, cache.class()) {
                    look_at(cache, slabs, object);
                }
            }
        }
    }

    /// Objects of a cache on a node that are out of their slabs.
    pub(super) fn objects_out(
        cache: &'static NamedCache,
        slabs: Slabs<'static>,
    ) -> impl Iterator<Item = usize> {
        let id = cache.class();
        let known = move |slab| slabs.place().objects_known(slab, id);
        let all = slabs.each(cache).flat_map(known);
        all.filter(move |object| slabs.place().is_out(*object, id))
    }
}

impl Slabs<'static> {
    /// The slabs of a cache, in the order of their addresses.
    fn each(self, cache: &'static NamedCache) -> impl Iterator<Item = GranuleIndex> {
        let granules = cache.info().granules as usize;
        let tables = self.node.tables();
        let next = move |from: usize| tables.next_slab_of(cache.owner(), from);
        core::iter::successors(next(0), move |slab: &GranuleIndex| {
            next(slab.index() + granules)
        })
    }
}

fn look_at(cache: &NamedCache, slabs: Slabs<'static>, object: usize) {
    let damage = || {
        let _cache_node = slabs.entry.cache_node.lock();
        let is_out = Place::is_out(slabs.place(), object, cache.class());
        let damage = match is_out {
            true => cache.damage_of_used(object),
            false => cache.damage_of_free(object),
        };
        damage.map(|(place, byte)| (place, byte, is_out))
    };
    // An object that another thread has just taken is not yet what it will be.
    let is_there = |found: &(usize, u8, bool)| {
        sys::sleep(PATIENCE);
        damage().as_ref() == Some(found)
    };
    if let Some((place, byte, is_out)) = damage().filter(is_there) {
        report::overwritten(cache, object, place, byte);
        // The program goes on: it is not told again.
        match is_out {
            true => cache.open(object),
            false => cache.close(object),
        }
    }
}
