//! A slab's record: which of its objects are free, counted, out of line.
//!
//! # Invariant
//!
//! A set bit is an object that was handed out and came back; `free` counts them. Objects from
//! `carved` on were never handed out. Untouched memory is all zero. Written under the pool's lock.
//!
//! Free objects are bits here and not links inside themselves: a flush and a refill then touch
//! this record alone, not one cold line for each object, and a caller's stray write cannot reach it.

use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::class::{ClassInfo, MAX_OBJECTS};
use crate::report::{check, our_fault};
use crate::sys::{ZeroInit, prefetch};
use crate::units::GranuleIndex;

/// What a slab's record holds; one for each granule, used by the slab's first.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct SlabRecord {
    free: AtomicU16,
    pub(super) carved: AtomicU16,
    /// The first word that may have a set bit.
    hint: AtomicU8,
    /// The list that the slab is on, as its pool numbers them; 0 for none.
    list: AtomicU8,
    /// What visits know of it, and whether what was never out has no memory; see `purge.rs`.
    pub(super) rest: AtomicU8,
    pub(super) is_clean: AtomicU8,
    /// Neighbours on that list: granule + 1, 0 at the end.
    next: AtomicU32,
    previous: AtomicU32,
    /// Pages of the operating system whose memory was given back and of which nothing was taken since.
    pub(super) gone: [AtomicU64; 2],
    pub(super) bits: [AtomicU64; MAX_OBJECTS / 64],
}

// SAFETY: made of atomics and padding, and zero is a number.
unsafe impl ZeroInit for SlabRecord {}

const _: () = assert!(size_of::<SlabRecord>() == 512);

/// Objects whose bits share a word.
pub(super) const ROW: u32 = u64::BITS;

/// What was wrong with an object that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadObject {
    /// Never handed out.
    Unknown,
    /// In the slab already.
    Free,
}

// ORDERING: relaxed throughout this file; the pool's lock orders all accesses.

impl SlabRecord {
    /// Makes this the record of a slab of which nothing was handed out.
    pub(super) fn reset(&self) {
        self.free.store(0, Relaxed);
        self.carved.store(0, Relaxed);
        self.hint.store(0, Relaxed);
        self.rest.store(0, Relaxed);
        self.gone.iter().for_each(|word| word.store(0, Relaxed));
    }

    /// Objects that can be taken.
    pub(super) fn available(&self, info: &ClassInfo) -> u32 {
        let carved = u32::from(self.carved.load(Relaxed));
        u32::from(self.free.load(Relaxed)) + (info.objects - carved)
    }

    /// Takes up to `wanted` objects, lowest first, and passes them to `give` as runs: the index of
    /// the first and how many. Those that came back go before those that were never used, whose
    /// memory may not exist yet.
    #[inline]
    pub(super) fn take(
        &self,
        info: &ClassInfo,
        wanted: u32,
        mut give: impl FnMut(u32, u32),
    ) -> u32 {
        let has_gaps = self.touch();
        let mut give = |first, count| {
            if has_gaps {
                self.fill_gaps(info, first, count);
            }
            give(first, count);
        };
        let mut left = wanted;
        let listed = u32::from(self.free.load(Relaxed));
        let mut remaining = listed.min(left);
        left -= remaining;
        self.free.store((listed - remaining) as u16, Relaxed);
        let hint = self.hint.load(Relaxed);
        for (index, word) in (0_u8..).zip(&self.bits).skip(usize::from(hint)) {
            if remaining == 0 {
                break;
            }
            let mut bits = word.load(Relaxed);
            while bits != 0 && remaining > 0 {
                let first = bits.trailing_zeros();
                let run = (bits >> first).trailing_ones().min(remaining);
                give(u32::from(index) * 64 + first, run);
                bits &= !(u64::MAX >> (64 - run) << first);
                remaining -= run;
            }
            word.store(bits, Relaxed);
            self.hint.store(index, Relaxed);
        }
        let carved = u32::from(self.carved.load(Relaxed));
        let end = info.objects.min(carved + left);
        if end > carved {
            give(carved, end - carved);
            self.carved.store(end as u16, Relaxed);
        }
        left -= end - carved;
        wanted - left
    }

    /// Begins to take objects back.
    #[inline]
    pub(super) fn returns(&self) -> Returns<'_> {
        Returns {
            record: self,
            carved: u32::from(self.carved.load(Relaxed)),
            count: 0,
            lowest: NO_WORD,
            word: NO_WORD,
            bits: 0,
        }
    }

    /// Brings the counts and the word of an object near.
    pub(super) fn prefetch(&self, index: u32) {
        prefetch(core::ptr::from_ref(&self.free).cast());
        if let Some(word) = self.bits.get(index as usize / 64) {
            prefetch(core::ptr::from_ref(word).cast());
        }
    }

    /// Forgets all objects, so that a slab whose objects all came back is carved anew.
    pub(super) fn clear(&self) {
        self.bits.iter().for_each(|word| word.store(0, Relaxed));
        self.reset();
    }

    /// The list that the slab is on.
    pub(super) fn list(&self) -> u8 {
        self.list.load(Relaxed)
    }

    /// The next slab on the list.
    pub(super) fn next(&self) -> Option<GranuleIndex> {
        link(&self.next)
    }

    /// The slab before on the list.
    pub(super) fn previous(&self) -> Option<GranuleIndex> {
        link(&self.previous)
    }

    /// Sets the list number.
    pub(super) fn set_list(&self, list: u8) {
        self.list.store(list, Relaxed);
    }

    /// Sets the neighbour behind.
    pub(super) fn set_next(&self, slab: Option<GranuleIndex>) {
        self.next.store(slab.map_or(0, |slab| slab.0 + 1), Relaxed);
    }

    /// Sets the neighbour before.
    pub(super) fn set_previous(&self, slab: Option<GranuleIndex>) {
        self.previous
            .store(slab.map_or(0, |slab| slab.0 + 1), Relaxed);
    }

    /// Checks the counts against the bits.
    pub(super) fn validate(&self, info: &ClassInfo) {
        let set: u32 = self
            .bits
            .iter()
            .map(|word| word.load(Relaxed).count_ones())
            .sum();
        check(
            set == u32::from(self.free.load(Relaxed)),
            "free objects are miscounted",
        );
        let carved = u32::from(self.carved.load(Relaxed));
        check(carved <= info.objects, "a slab is carved beyond its end");
        let hint = usize::from(self.hint.load(Relaxed));
        let before = self
            .bits
            .iter()
            .take(hint)
            .all(|word| word.load(Relaxed) == 0);
        check(before, "a free object lies before the hint");
        for index in carved..MAX_OBJECTS as u32 {
            let (word, bit) = self.bit(index);
            check(
                word.load(Relaxed) & bit == 0,
                "an object is free that was never out",
            );
        }
    }

    #[inline]
    fn bit(&self, index: u32) -> (&AtomicU64, u64) {
        match self.bits.get(index as usize / 64) {
            Some(word) => (word, 1 << (index % 64)),
            None => our_fault("object outside its slab"),
        }
    }
}

/// A run of objects that come back to one slab; the record changes a word at a time, and the counts
/// when the run ends.
#[derive(Debug)]
pub(super) struct Returns<'slab> {
    record: &'slab SlabRecord,
    carved: u32,
    count: u16,
    /// The lowest word that got a bit.
    lowest: u32,
    /// The word that is open, and its bits; kept here, since each bit would else wait for the store of
    /// the one before.
    word: u32,
    bits: u64,
}

impl<'slab> Returns<'slab> {
    /// Takes `count` objects back that lie in a row, whose bits share a word; all or none.
    #[inline]
    pub(super) fn give(&mut self, first: u32, count: u32) -> Result<(), BadObject> {
        debug_assert!(first / ROW == (first + count - 1) / ROW);
        if first + count > self.carved {
            return Err(BadObject::Unknown);
        }
        if first / ROW != self.word {
            self.turn_to(first / ROW);
        }
        let bits = u64::MAX >> (ROW - count) << (first % ROW);
        if self.bits & bits != 0 {
            return Err(BadObject::Free);
        }
        self.bits |= bits;
        self.count += count as u16;
        Ok(())
    }

    /// Counts what came back.
    #[inline]
    pub(super) fn finish(mut self) -> &'slab SlabRecord {
        self.turn_to(NO_WORD);
        let record = self.record;
        record
            .free
            .store(record.free.load(Relaxed) + self.count, Relaxed);
        if self.lowest < u32::from(record.hint.load(Relaxed)) {
            record.hint.store(self.lowest as u8, Relaxed);
        }
        record
    }

    /// Stores the open word and opens another.
    #[inline]
    fn turn_to(&mut self, word: u32) {
        if let Some(open) = self.record.bits.get(self.word as usize) {
            open.store(self.bits, Relaxed);
        }
        self.word = word;
        if let Some(next) = self.record.bits.get(word as usize) {
            self.bits = next.load(Relaxed);
            self.lowest = self.lowest.min(word);
        }
    }
}

/// The number of no word.
const NO_WORD: u32 = u32::MAX;

fn link(field: &AtomicU32) -> Option<GranuleIndex> {
    field.load(Relaxed).checked_sub(1).map(GranuleIndex)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::class::{class_of, info};
    use super::*;
    use std::{boxed::Box, vec::Vec};

    fn record() -> Box<SlabRecord> {
        // SAFETY: zeroed memory is a record.
        unsafe { Box::new(core::mem::zeroed()) }
    }

    #[test]
    fn objects_are_carved_in_order_and_come_back_lowest_first() {
        let (record, info) = (record(), info(class_of(4096)));
        let mut taken = Vec::new();
        let all = |first, count| first..first + count;
        let take = |count, taken: &mut Vec<u32>| {
            record.take(info, count, |first, run| taken.extend(all(first, run)))
        };
        assert_eq!(take(5, &mut taken), 5);
        assert_eq!(taken, [0, 1, 2, 3, 4]);
        let mut returns = record.returns();
        returns.give(3, 1).unwrap();
        returns.give(1, 1).unwrap();
        returns.finish();
        record.validate(info);
        taken.clear();
        assert_eq!(take(20, &mut taken), 13);
        assert_eq!(taken, [1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(record.available(info), 0);
        record.validate(info);
    }

    #[test]
    fn what_is_not_out_does_not_come_back() {
        let (record, info) = (record(), info(class_of(16)));
        assert_eq!(record.returns().give(0, 1), Err(BadObject::Unknown));
        assert_eq!(
            record.take(info, MAX_OBJECTS as u32 + 9, |_, _| ()),
            info.objects
        );
        let mut returns = record.returns();
        assert_eq!(returns.give(704, 64), Ok(()));
        assert_eq!(returns.give(705, 2), Err(BadObject::Free));
        assert_eq!(
            record.returns().give(info.objects, 1),
            Err(BadObject::Unknown)
        );
        returns.finish();
        record.validate(info);
    }
}
