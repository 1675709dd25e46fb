//! Random lists.
//!
//! # Invariant
//!
//! An episode's records follow from the seed, the process's number, the list's and the episode's own, so that any can be
//! made again.
#![forbid(unsafe_code)]

use crate::driver::progress::Place;
use crate::interpreter::{Operation, Record};

/// splitmix64.
#[derive(Clone, Copy, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Numbers that follow from all of these.
    fn of(parts: [u64; 4]) -> Self {
        let mix = |state: u64, part: u64| Self(state ^ part).next();
        Self(parts.into_iter().fold(0x243f_6a88_85a3_08d3, mix))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// Where an episode is among all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) seed: u64,
    /// The process.
    pub(super) life: u64,
    /// The list.
    pub(super) list: u64,
}

impl Origin {
    /// The records of an episode.
    pub(super) fn episode(self, number: u64) -> Episode {
        let mut random = Random::of([self.seed, self.life, self.list, number]);
        let [a, b, c, length, ..] = random.next().to_le_bytes();
        let (head, habits) = Operation::episode([a, b, c]);
        let shift = 5 + u32::from(length) % (habits.length_shift() - 4);
        let records = (1 << shift) + random.next() % 64;
        Episode {
            head: Some(head),
            random,
            left: records,
        }
    }

    /// The records of episodes from `first` on, until there were `records`; `place` always knows which is the last.
    pub(super) fn stream(self, first: u64, records: u64, place: &Place) -> Stream<'_> {
        place.begin_episode(first);
        Stream {
            origin: self,
            place,
            number: first,
            episode: self.episode(first),
            left: records,
        }
    }
}

/// The records of one episode.
#[derive(Clone, Debug)]
pub(super) struct Episode {
    head: Option<Record>,
    random: Random,
    left: u64,
}

impl Iterator for Episode {
    type Item = Record;

    #[inline]
    fn next(&mut self) -> Option<Record> {
        if let Some(head) = self.head.take() {
            return Some(head);
        }
        self.left = self.left.checked_sub(1)?;
        let [a, b, c, d, e, f, ..] = self.random.next().to_le_bytes();
        Some([a, b, c, d, e, f])
    }
}

/// Episodes in sequence.
#[derive(Debug)]
pub(super) struct Stream<'place> {
    origin: Origin,
    place: &'place Place,
    number: u64,
    episode: Episode,
    left: u64,
}

impl Stream<'_> {
    /// The episode that the next stream begins with.
    pub(super) fn next_episode(&self) -> u64 {
        self.number + 1
    }
}

impl Iterator for Stream<'_> {
    type Item = Record;

    #[inline]
    fn next(&mut self) -> Option<Record> {
        self.left = self.left.saturating_sub(1);
        let record = match self.episode.next() {
            Some(record) => record,
            None if self.left == 0 => return None,
            None => {
                self.number += 1;
                self.place.begin_episode(self.number);
                self.episode = self.origin.episode(self.number);
                self.episode.next()?
            }
        };
        self.place.step();
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_can_be_made_again_and_others_are_different() {
        let origin = Origin {
            seed: 1,
            life: 2,
            list: 3,
        };
        let one: Vec<_> = origin.episode(4).collect();
        assert!(one.len() > 64);
        assert_eq!(one, origin.episode(4).collect::<Vec<_>>());
        for other in [
            Origin { seed: 2, ..origin },
            Origin { life: 3, ..origin },
            Origin { list: 4, ..origin },
        ] {
            assert_ne!(one, other.episode(4).collect::<Vec<_>>());
        }
        assert_ne!(one, origin.episode(5).collect::<Vec<_>>());
    }
}
