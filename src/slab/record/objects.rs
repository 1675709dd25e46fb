//! Objects of a slab: which are handed out, and how they come back.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::{SKIPPED, SlabRecord, in_page};
use crate::slab::bits::{each_bit, lowest};
use crate::slab::class::ClassInfo;
use crate::slab::row::{ROW, Row};

/// What was wrong with an object that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::slab) enum BadObject {
    /// Never handed out.
    Unknown,
    /// In the slab already.
    Free,
}

// ORDERING: relaxed throughout this file; the cache node's lock orders all accesses.

impl SlabRecord {
    /// Takes up to `wanted` objects, lowest first, and passes them to `give` by [`ROW`]s at most: an index, and a bit for each
    /// object from that one on. Those that came back go before those that were never used, whose memory may not exist yet.
    #[inline]
    pub(in crate::slab) fn take(
        &self,
        info: &ClassInfo,
        wanted: u32,
        mut give: impl FnMut(u32, u64),
    ) -> u32 {
        let has_gaps = self.touch();
        let mut give = |first, bits| {
            if has_gaps {
                each_bit(bits, |bit| self.fill_gaps(info, first + bit, 1));
            }
            give(first, bits);
        };
        let mut left = wanted - self.take_listed(info, wanted, &mut give);
        let skipped = self.skipped(info);
        if left > 0 && skipped > 0 {
            // The rest of the first page goes before the next one.
            left -= self.carve(in_page(info), left, &mut give);
            if left > 0 {
                self.list_skipped(skipped);
                left -= self.take_listed(info, left, &mut give);
            }
        }
        left -= self.carve(info.objects, left, &mut give);
        wanted - left
    }

    /// Takes up to `most` objects of one word of bits: the lowest of those that came back, else of those that were never out.
    /// Returns the word's first object and a bit for each from that one on; none if the slab has none. For slabs of which
    /// nothing is skipped and no page goes.
    pub(in crate::slab) fn take_word(&self, info: &ClassInfo, most: u32) -> (u32, u64) {
        let (known, out) = (self.known(info), self.out());
        let hint = self.hint.load(Relaxed);
        if known.len() as u32 > out {
            for (index, word) in (0_u8..).zip(&self.bits).skip(usize::from(hint)) {
                let bits = word.load(Relaxed);
                if bits != 0 {
                    let chosen = lowest(bits, most);
                    word.store(bits & !chosen, Relaxed);
                    self.hint.store(index, Relaxed);
                    self.set_out(out + chosen.count_ones());
                    return (u32::from(index) * ROW, chosen);
                }
            }
        }
        let carved = known.end;
        let first = carved - carved % ROW;
        let end = info.objects.min(carved + most).min(first + ROW);
        if end <= carved {
            return (0, 0);
        }
        self.carved.store(end as u16, Relaxed);
        self.set_out(out + end - carved);
        (
            first,
            u64::MAX >> (ROW - (end - carved)) << (carved - first),
        )
    }

    /// Takes objects back that `take_word` gave.
    pub(in crate::slab) fn give_word(&self, first: u32, bits: u64) {
        let index = first / ROW;
        if let Some(word) = self.bits.get(index as usize) {
            word.store(word.load(Relaxed) | bits, Relaxed);
            self.set_out(self.out() - bits.count_ones());
            if index < u32::from(self.hint.load(Relaxed)) {
                self.hint.store(index as u8, Relaxed);
            }
        }
    }

    /// Takes all objects back, whatever is out.
    pub(in crate::slab) fn give_all(&self, info: &ClassInfo) {
        let known = self.known(info);
        for first in (known.start / ROW * ROW..known.end).step_by(ROW as usize) {
            let skipped = known.start.saturating_sub(first);
            self.give_word(first, self.out_of_word(info, first) & u64::MAX << skipped);
        }
    }

    /// The objects of a word that are out, the program's and those at hand: a bit for each from its first one on.
    pub(in crate::slab) fn out_of_word(&self, info: &ClassInfo, first: u32) -> u64 {
        let carved = self.known(info).end.saturating_sub(first).min(ROW);
        let word = self.bits.get((first / ROW) as usize);
        let free = word.map_or(u64::MAX, |word| word.load(Relaxed));
        (u64::MAX >> (ROW - carved.max(1))) & !free
    }

    /// Takes up to `wanted` objects that have a bit; returns how many.
    #[inline]
    fn take_listed(&self, info: &ClassInfo, wanted: u32, give: &mut impl FnMut(u32, u64)) -> u32 {
        let listed = self.known(info).len() as u32 - self.out();
        let taken = listed.min(wanted);
        let mut remaining = taken;
        self.set_out(self.out() + taken);
        let hint = self.hint.load(Relaxed);
        for (index, word) in (0_u8..).zip(&self.bits).skip(usize::from(hint)) {
            if remaining == 0 {
                break;
            }
            let bits = word.load(Relaxed);
            let chosen = lowest(bits, remaining);
            if chosen != 0 {
                give(u32::from(index) * ROW, chosen);
            }
            remaining -= chosen.count_ones();
            word.store(bits & !chosen, Relaxed);
            self.hint.store(index, Relaxed);
        }
        taken
    }

    /// Takes up to `wanted` objects before the one of number `end` that were never out, from the lowest on; returns how many.
    #[inline]
    fn carve(&self, end: u32, wanted: u32, give: &mut impl FnMut(u32, u64)) -> u32 {
        let carved = u32::from(self.carved.load(Relaxed));
        let end = end.min(carved + wanted);
        if end <= carved {
            return 0;
        }
        for first in (carved..end).step_by(ROW as usize) {
            give(first, u64::MAX >> (ROW - (end - first).min(ROW)));
        }
        self.carved.store(end as u16, Relaxed);
        self.set_out(self.out() + end - carved);
        end - carved
    }

    /// Gives the objects that were skipped their bits.
    fn list_skipped(&self, skipped: u32) {
        for (first, word) in (0..skipped).step_by(ROW as usize).zip(&self.bits) {
            let count = (skipped - first).min(ROW);
            word.store(word.load(Relaxed) | u64::MAX >> (ROW - count), Relaxed);
        }
        self.hint.store(0, Relaxed);
        self.fresh
            .store(self.fresh.load(Relaxed) & !SKIPPED, Relaxed);
    }

    /// Takes objects back; all or none.
    #[inline]
    pub(in crate::slab) fn give(&self, info: &ClassInfo, row: Row) -> Result<(), BadObject> {
        let Row { first, count } = row;
        debug_assert!(first / ROW == (first + count - 1) / ROW);
        if first + count > u32::from(self.carved.load(Relaxed)) || self.is_skipped(info, first) {
            return Err(BadObject::Unknown);
        }
        let index = first / ROW;
        let Some(word) = self.bits.get(index as usize) else {
            return Err(BadObject::Unknown);
        };
        let before = word.load(Relaxed);
        let bits = u64::MAX >> (ROW - count) << (first % ROW);
        if before & bits != 0 {
            return Err(BadObject::Free);
        }
        word.store(before | bits, Relaxed);
        self.set_out(self.out() - count);
        if index < u32::from(self.hint.load(Relaxed)) {
            self.hint.store(index as u8, Relaxed);
        }
        Ok(())
    }

    /// Whether the objects from `first` to `last`, of those that were out, are all in the slab.
    pub(super) fn are_free(&self, first: u32, last: u32) -> bool {
        (first / ROW..=last / ROW).all(|index| {
            let from = first.max(index * ROW) - index * ROW;
            let to = last.min(index * ROW + ROW - 1) - index * ROW;
            let mask = u64::MAX >> (ROW - 1 - (to - from)) << from;
            let word = self.bits.get(index as usize);
            word.is_some_and(|word| word.load(Relaxed) & mask == mask)
        })
    }
}
