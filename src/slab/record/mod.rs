//! A slab's record: which of its objects are free, counted, out of line.
//!
//! # Invariant
//!
//! A set bit is an object that was out and came back; `out` counts those that did not. Objects from `carved` on were never
//! handed out, nor, as long as there are any that are *skipped*, those before the colour. Untouched memory is all zero.
//! Written under the cache node's lock.
//!
//! Free objects are bits here and not links inside themselves: a flush and a refill then touch
//! only this record, not one cold line for each object, and a caller's stray write cannot reach it.

mod cluster;
mod objects;
mod pages;

use core::ops::Range;
use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::class::{ClassInfo, MAX_OBJECTS};
use crate::layout::{self, fields};
use crate::report::{check, internal_error};
use crate::sys::{ZeroInit, placement, prefetch};
use crate::units::{GranuleIndex, PAGE_SIZE};
pub(super) use objects::BadObject;

/// What a slab's record holds; one for each granule, used by the slab's first.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct SlabRecord {
    out: AtomicU16,
    carved: AtomicU16,
    /// The first word that may have a set bit.
    hint: AtomicU8,
    /// The list that the slab is on, as its cache node numbers them; 0 for none.
    list: AtomicU8,
    /// What visits by purging know of it (`pages.rs`).
    visits: AtomicU8,
    /// What is known of objects that were never out; above that the cluster (`cluster.rs`).
    fresh: AtomicU8,
    /// Neighbours on that list: granule + 1, 0 at the end.
    next: AtomicU32,
    previous: AtomicU32,
    /// Pages of the operating system whose memory was given back and of which nothing was taken since.
    gone: [AtomicU64; 2],
    bits: [AtomicU64; MAX_OBJECTS / 64],
}

// SAFETY: made of atomics and padding, and zero is a number.
unsafe impl ZeroInit for SlabRecord {}

const _: () = assert!(size_of::<SlabRecord>() == 512);

/// Where its fields lie, for readers outside of the process.
pub(in crate::slab) const LAYOUT: &[layout::Row] = fields!(SlabRecord as "slab_record" {
    out, carved, hint, fresh, list, next, previous, gone, bits,
});

/// They have no memory.
const CLEAN: u8 = 1;
/// Those before the slab's colour are among them.
pub(in crate::slab) const SKIPPED: u8 = 2;
/// Colours are multiples of this.
const LINE: usize = 64;

// ORDERING: relaxed throughout this file; the cache node's lock orders all accesses.

impl SlabRecord {
    /// Makes this the record of a slab of which nothing was handed out.
    pub(in crate::slab) fn reset(&self, info: &ClassInfo) {
        let colour = self.colour(info);
        self.out.store(0, Relaxed);
        self.carved.store(colour as u16, Relaxed);
        self.fresh
            .store(if colour > 0 { SKIPPED } else { 0 }, Relaxed);
        self.hint.store(0, Relaxed);
        self.visits.store(0, Relaxed);
        self.gone.iter().for_each(|word| word.store(0, Relaxed));
    }

    /// The object that is handed out first. The first objects of all slabs are those that a small program uses, and what has
    /// the same place in a page as other things in use is slow to reach: processors tell addresses in flight apart by
    /// their lower twelve bits. So the records of neighbours have colours far apart (Bonwick 1994).
    fn colour(&self, info: &ClassInfo) -> u32 {
        let number = core::ptr::from_ref(self) as usize / size_of::<Self>() + placement(3, 64);
        let line = number.wrapping_mul(27).wrapping_add(9) % (PAGE_SIZE / LINE);
        let (first, _) = info.object_at(line * LINE);
        if first < in_page(info) { first } else { 0 }
    }

    /// How many objects at the slab's start are skipped.
    fn skipped(&self, info: &ClassInfo) -> u32 {
        match self.fresh.load(Relaxed) & SKIPPED {
            0 => 0,
            _ => self.colour(info),
        }
    }

    /// Whether an object is one of those.
    #[inline]
    fn is_skipped(&self, info: &ClassInfo, object: u32) -> bool {
        self.fresh.load(Relaxed) & SKIPPED != 0 && self.is_before_colour(info, object)
    }

    // Apart, since few slabs have any for long.
    #[cold]
    #[inline(never)]
    fn is_before_colour(&self, info: &ClassInfo, object: u32) -> bool {
        object < self.colour(info)
    }

    /// Notes that what was never out has no memory.
    pub(in crate::slab) fn set_clean(&self) {
        self.fresh.store(self.fresh.load(Relaxed) | CLEAN, Relaxed);
    }

    /// Whether what was never out has no memory.
    pub(in crate::slab) fn is_clean(&self) -> bool {
        self.fresh.load(Relaxed) & CLEAN != 0
    }

    /// The objects that were handed out, or may have been.
    #[inline]
    pub(in crate::slab) fn known(&self, info: &ClassInfo) -> Range<u32> {
        self.skipped(info)..u32::from(self.carved.load(Relaxed))
    }

    /// Whether an object is in the slab.
    #[inline]
    pub(in crate::slab) fn has(&self, object: u32) -> bool {
        let (word, bit) = self.bit(object);
        word.load(Relaxed) & bit != 0
    }

    /// Objects that are out.
    #[inline]
    pub(in crate::slab) fn out(&self) -> u32 {
        u32::from(self.out.load(Relaxed))
    }

    fn set_out(&self, out: u32) {
        self.out.store(out as u16, Relaxed);
    }

    /// Objects that can be taken.
    #[inline]
    pub(in crate::slab) fn available(&self, info: &ClassInfo) -> u32 {
        info.objects - self.out()
    }

    /// Brings the counts and the word of an object near.
    pub(in crate::slab) fn prefetch(&self, index: u32) {
        prefetch(core::ptr::from_ref(&self.out).cast());
        if let Some(word) = self.bits.get(index as usize / 64) {
            prefetch(core::ptr::from_ref(word).cast());
        }
    }

    /// Forgets all objects, so that a slab whose objects all came back is carved anew.
    pub(in crate::slab) fn clear(&self, info: &ClassInfo) {
        self.bits.iter().for_each(|word| word.store(0, Relaxed));
        self.reset(info);
    }

    /// The list that the slab is on.
    pub(in crate::slab) fn list(&self) -> u8 {
        self.list.load(Relaxed)
    }

    /// The next slab on the list.
    pub(in crate::slab) fn next(&self) -> Option<GranuleIndex> {
        link(&self.next)
    }

    /// The slab before on the list.
    pub(in crate::slab) fn previous(&self) -> Option<GranuleIndex> {
        link(&self.previous)
    }

    /// Sets the list number.
    pub(in crate::slab) fn set_list(&self, list: u8) {
        self.list.store(list, Relaxed);
    }

    /// Sets the next neighbour.
    pub(in crate::slab) fn set_next(&self, slab: Option<GranuleIndex>) {
        self.next.store(slab.map_or(0, |slab| slab.0 + 1), Relaxed);
    }

    /// Sets the neighbour before.
    pub(in crate::slab) fn set_previous(&self, slab: Option<GranuleIndex>) {
        self.previous
            .store(slab.map_or(0, |slab| slab.0 + 1), Relaxed);
    }

    /// Has a new slab's first object handed out first.
    pub(in crate::slab) fn skip_none(&self) {
        self.carved.store(0, Relaxed);
        self.fresh.store(0, Relaxed);
    }

    /// How many objects were ever out, where none was skipped.
    pub(in crate::slab) fn used(&self) -> u32 {
        u32::from(self.carved.load(Relaxed))
    }

    /// Checks the counts against the bits.
    pub(in crate::slab) fn validate(&self, info: &ClassInfo) {
        let ones = |word: &AtomicU64| word.load(Relaxed).count_ones();
        let set: u32 = self.bits.iter().map(ones).sum();
        let known = self.known(info);
        check(
            set + self.out() == known.len() as u32,
            "objects are miscounted",
        );
        check(known.end <= info.objects, "a slab is carved beyond its end");
        let hint = usize::from(self.hint.load(Relaxed));
        let before = self
            .bits
            .iter()
            .take(hint)
            .all(|word| word.load(Relaxed) == 0);
        check(before, "a free object lies before the hint");
        for index in (0..known.start).chain(known.end..MAX_OBJECTS as u32) {
            check(!self.has(index), "an object is free that was never out");
        }
    }

    #[inline]
    fn bit(&self, index: u32) -> (&AtomicU64, u64) {
        match self.bits.get(index as usize / 64) {
            Some(word) => (word, 1 << (index % 64)),
            None => internal_error("object outside its slab"),
        }
    }
}

/// Objects that begin and end in the first page of a slab.
fn in_page(info: &ClassInfo) -> u32 {
    info.object_at(PAGE_SIZE).0
}

fn link(field: &AtomicU32) -> Option<GranuleIndex> {
    field.load(Relaxed).checked_sub(1).map(GranuleIndex)
}

#[cfg(test)]
mod tests;
