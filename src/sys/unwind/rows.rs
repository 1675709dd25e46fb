//! The rows of the call frame information that were used, by the instruction: most calls of a stack have been on one
//! before.
//!
//! # Invariant
//!
//! A row is used only if the bytes that it was made of are still the ones in memory: another library may be loaded
//! where one was. Writers exclude each other, readers notice them, and nobody waits: not even a handler that interrupts
//! one.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

use super::object::{Object, Source};
use super::registers::{RETURN, SAVED, SP};
use super::table::{Cfa, Row, Rule};

/// Places for rows; 64 bytes each. Programs take memory at a few thousand places.
const PLACES: usize = 2048;
/// Words that hold the distances of a row, four each.
const DISTANCES: usize = SAVED.len().div_ceil(4);
/// The other words of a place: the instruction, where its information is, the bytes' sum, and the frame's beginning.
const OTHERS: usize = 4;

/// A row of the usual form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Compact {
    /// The register that the frame is found by.
    pub(super) register: u8,
    /// And how far it begins from there.
    pub(super) offset: i32,
    /// How many words below the frame's beginning each of `SAVED` is, in 16 bits; 0 where it is unchanged.
    pub(super) distances: [usize; DISTANCES],
}

type Words = [usize; OTHERS + DISTANCES];

/// A row, with a count that is odd while it is written.
#[repr(align(64))]
struct Place {
    version: AtomicUsize,
    words: [AtomicUsize; OTHERS + DISTANCES],
}

static ROWS: [Place; PLACES] = [const { Place::EMPTY }; PLACES];

impl Place {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "a static is made of it"
    )]
    const EMPTY: Self = Self {
        version: AtomicUsize::new(0),
        words: [const { AtomicUsize::new(0) }; OTHERS + DISTANCES],
    };

    /// The two places for an instruction.
    fn of(pc: usize) -> [Option<&'static Self>; 2] {
        const GOLDEN: usize = 0x9e37_79b9_7f4a_7c15;
        let first = pc.wrapping_mul(GOLDEN) >> (usize::BITS - PLACES.ilog2());
        [ROWS.get(first), ROWS.get(first ^ 1)]
    }

    /// The instruction whose row is there, 0 for none; only a hint.
    fn key(&self) -> usize {
        let [key, ..] = &self.words;
        key.load(Relaxed)
    }

    /// What is there; `None` while it is written.
    fn load(&self) -> Option<Words> {
        // ORDERING: acquire, against the release at the end of `store`.
        let version = self.version.load(Acquire);
        let words = self.words.each_ref().map(|place| place.load(Relaxed));
        // ORDERING: the words are read before the second version, against the fence in `store`.
        fence(Acquire);
        let is_whole = version.is_multiple_of(2) && self.version.load(Relaxed) == version;
        is_whole.then_some(words)
    }

    /// Replaces what is there, unless another is doing that.
    fn store(&self, words: &Words) {
        let version = self.version.load(Relaxed);
        let next = version.wrapping_add(1);
        if !version.is_multiple_of(2) {
            return;
        }
        // ORDERING: acquire, against the release of the writer before.
        let exchange = self
            .version
            .compare_exchange(version, next, Acquire, Relaxed);
        if exchange.is_err() {
            return;
        }
        // ORDERING: the version is odd before any word changes.
        fence(Release);
        for (place, word) in self.words.iter().zip(words) {
            place.store(*word, Relaxed);
        }
        // ORDERING: release, against the acquire in `load`.
        self.version.store(next.wrapping_add(1), Release);
    }
}

/// The row for `pc` in an object, if it is kept.
#[inline(never)]
pub(super) fn find(object: &Object, pc: usize) -> Option<Compact> {
    let place = Place::of(pc)
        .into_iter()
        .flatten()
        .find(|it| it.key() == pc);
    let [key, source, sum, start, distances @ ..] = place?.load()?;
    if key != pc || object.sum(Source::from_word(source))? != sum {
        return None;
    }
    Some(Compact {
        register: start as u8,
        offset: (start >> 32) as u32 as i32,
        distances,
    })
}

/// Keeps the row for `pc` in an object, if it has the usual form.
#[inline(never)]
pub(super) fn keep(object: &Object, pc: usize, row: &Row, source: Source) {
    let [Some(first), Some(second)] = Place::of(pc) else {
        return;
    };
    let (Some(compact), Some(sum)) = (Compact::of(row), object.sum(source)) else {
        return;
    };
    // The first of two that are full makes room for what comes now, and goes to the second.
    let is_free = first.key() == 0 || first.key() == pc;
    if !is_free
        && second.key() != pc
        && let Some(moved) = first.load()
    {
        second.store(&moved);
    }
    let place = if second.key() == pc { second } else { first };
    let start = usize::from(compact.register) | (compact.offset as u32 as usize) << 32;
    let mut words = [0; OTHERS + DISTANCES];
    let [key, from, bytes, beginning, distances @ ..] = &mut words;
    (*key, *from, *bytes, *beginning) = (pc, source.to_word(), sum, start);
    *distances = compact.distances;
    place.store(&words);
}

impl Compact {
    /// Calls `restore` with each register that is not unchanged, and how many words below the frame's beginning it is.
    #[inline(always)]
    pub(super) fn each_saved(
        &self,
        mut restore: impl FnMut(usize, usize) -> Option<()>,
    ) -> Option<()> {
        for (four, mut word) in SAVED.chunks(4).zip(self.distances) {
            for register in four {
                let distance = word & 0xffff;
                if distance != 0 {
                    restore(*register, distance)?;
                }
                word >>= 16;
            }
        }
        Some(())
    }

    /// The same row, if the frame is found by a register and all others are unchanged or below its beginning.
    pub(super) fn of(row: &Row) -> Option<Self> {
        const WORD: i32 = size_of::<usize>() as i32;
        let Cfa::Register(register, offset) = row.cfa else {
            return None;
        };
        let mut compact = Self {
            register,
            offset,
            distances: [0; DISTANCES],
        };
        for (register, rule) in row.rules().enumerate() {
            let place = SAVED.iter().position(|saved| *saved == register);
            match (rule, place) {
                (Rule::Same, _) => {}
                (Rule::Undefined, _) if register != RETURN => {}
                (Rule::At(offset), Some(place)) if offset < 0 && offset % WORD == 0 => {
                    let distance = u16::try_from(-(offset / WORD)).ok()?;
                    *compact.distances.get_mut(place / 4)? |=
                        usize::from(distance) << (16 * (place % 4));
                }
                // The stack pointer of the caller is the frame's beginning in any case.
                (Rule::Is(0), None) if register == SP => {}
                _ => return None,
            }
        }
        Some(compact)
    }
}

#[cfg(all(test, not(simulated)))]
mod tests {
    extern crate std;
    use super::*;

    fn row(cfa: Cfa, rules: &[(usize, Rule)]) -> Row {
        let mut row = Row::NEW;
        row.cfa = cfa;
        for (register, rule) in rules {
            row.set(*register, *rule).unwrap();
        }
        row
    }

    #[test]
    fn usual_rows_are_compact_and_others_are_not() {
        let (first, last) = (SAVED[1], SAVED[SAVED.len() - 1]);
        let usual = [(last, Rule::At(-8)), (RETURN, Rule::At(-16))];
        let compact = Compact::of(&row(Cfa::Register(3, -40), &usual)).unwrap();
        assert_eq!((compact.register, compact.offset), (3, -40));
        let mut all = std::vec::Vec::new();
        let counted = compact.each_saved(|register, distance| {
            all.push((register, distance));
            Some(())
        });
        assert!(counted.is_some());
        assert_eq!(all[0], (RETURN, 2));
        assert!(all.contains(&(last, 1)) && all.len() == 2);
        for other in [
            Rule::At(8),
            Rule::At(-9),
            Rule::At(-(1 << 20)),
            Rule::Is(-8),
            Rule::Register(1),
        ] {
            assert!(Compact::of(&row(Cfa::Register(3, 0), &[(first, other)])).is_none());
        }
        let end = [(RETURN, Rule::Undefined)];
        assert!(Compact::of(&row(Cfa::Register(3, 0), &end)).is_none());
    }
}
