//! Objects on their way back into one slab: its record changes a word at a time.
#![forbid(unsafe_code)]

use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;

use super::record::{ROW, SlabRecord};

/// What was wrong with an object that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadObject {
    /// Never handed out.
    Unknown,
    /// In the slab already.
    Free,
}

// ORDERING: relaxed throughout this file; the pool's lock orders all accesses.

/// A run of objects that come back to one slab; the record changes a word at a time, and the counts
/// when the run ends.
#[derive(Debug)]
pub(super) struct Returns<'slab> {
    record: &'slab SlabRecord,
    known: Range<u16>,
    count: u16,
    /// The lowest word that got a bit.
    lowest: u8,
    /// The word that is open, and its bits; kept here, since each bit would else wait for the store of
    /// the one before.
    word: u8,
    bits: u64,
}

impl<'slab> Returns<'slab> {
    /// Begins to take back to a slab what is among these.
    #[inline]
    pub(super) fn to(record: &'slab SlabRecord, known: Range<u32>) -> Self {
        Self {
            record,
            known: known.start as u16..known.end as u16,
            count: 0,
            lowest: NO_WORD,
            word: NO_WORD,
            bits: 0,
        }
    }

    /// Takes `count` objects back that lie in a row, whose bits share a word; all or none.
    #[inline]
    pub(super) fn give(&mut self, first: u32, count: u32) -> Result<(), BadObject> {
        debug_assert!(first / ROW == (first + count - 1) / ROW);
        if first < u32::from(self.known.start) || first + count > u32::from(self.known.end) {
            return Err(BadObject::Unknown);
        }
        let word = (first / ROW) as u8;
        if word != self.word {
            self.turn_to(word);
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
        if self.lowest < record.hint.load(Relaxed) {
            record.hint.store(self.lowest, Relaxed);
        }
        record
    }

    /// Stores the open word and opens another.
    #[inline]
    fn turn_to(&mut self, word: u8) {
        if let Some(open) = self.record.bits.get(usize::from(self.word)) {
            open.store(self.bits, Relaxed);
        }
        self.word = word;
        if let Some(next) = self.record.bits.get(usize::from(word)) {
            self.bits = next.load(Relaxed);
            self.lowest = self.lowest.min(word);
        }
    }
}

/// The number of no word.
const NO_WORD: u8 = u8::MAX;
