//! Numbers that look random and are the same in every run.

#![forbid(unsafe_code)]

use crate::mapped::Mapped;

/// A Weyl sequence through a multiply-and-fold mixer: one multiplication a number.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A sequence of its own for each `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Self {
            state: seed.wrapping_mul(0xd129_0d3a_8f5a_6b4d),
        };
        random.draw();
        random
    }

    /// The next 64 bits.
    #[inline(always)]
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let product = u128::from(self.state) * u128::from(self.state ^ 0xe703_7ed1_a0b4_28db);
        (product >> 64) as u64 ^ product as u64
    }

    /// A number below `bound`, from the high half of one draw; `bound` is below 2^32.
    #[inline(always)]
    pub fn below(&mut self, bound: usize) -> usize {
        scale(self.draw(), bound)
    }

    /// A number from zero up to, not including, one.
    pub fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number from a Pareto distribution between two bounds: most are small, a few are large.
    pub fn pareto(&mut self, smallest: f64, largest: f64, shape: f64) -> f64 {
        let cut = (smallest / largest).powf(shape);
        let share = 1.0 - self.unit() * (1.0 - cut);
        smallest / share.powf(1.0 / shape)
    }
}

/// Maps a draw to a number below `bound` by its high 32 bits; the low ones stay free for another use.
#[inline(always)]
#[must_use]
pub fn scale(draw: u64, bound: usize) -> usize {
    (((draw >> 32) * bound as u64) >> 32) as usize
}

/// A distribution, drawn beforehand, so that choosing a size costs one load from the first-level cache.
#[derive(Debug)]
pub struct Sizes {
    drawn: Mapped<u32>,
}

impl Sizes {
    const DRAWN: usize = 2048;

    /// Sizes from a Pareto distribution: most are small, a few are large.
    #[must_use]
    pub fn pareto(smallest: u32, largest: u32, shape: f64) -> Self {
        let mut random = Random::new(0x7a7e70);
        Self::drawn(|| random.pareto(smallest.into(), largest.into(), shape) as u32)
    }

    /// Sizes from `smallest` to `largest`, all equally likely.
    #[must_use]
    pub fn uniform(smallest: u32, largest: u32) -> Self {
        let mut random = Random::new(0x0f1a7);
        Self::drawn(|| smallest + random.below((largest - smallest + 1) as usize) as u32)
    }

    /// Sizes of which each doubling is equally likely.
    #[must_use]
    pub fn logarithmic(smallest: u32, largest: u32) -> Self {
        let mut random = Random::new(0x10a);
        let span = (f64::from(largest) / f64::from(smallest)).ln();
        Self::drawn(|| (f64::from(smallest) * (random.unit() * span).exp()) as u32)
    }

    /// Powers of two, each half as likely as the one below.
    #[must_use]
    pub fn powers_of_two(smallest: u32, largest: u32) -> Self {
        let mut random = Random::new(0x202);
        Self::drawn(|| (smallest << random.draw().trailing_ones().min(20)).min(largest))
    }

    /// The size for a draw, by its low bits.
    #[inline(always)]
    #[must_use]
    pub fn pick(&self, draw: u64) -> usize {
        self.drawn[draw as usize % Self::DRAWN] as usize
    }

    fn drawn(mut draw: impl FnMut() -> u32) -> Self {
        Self {
            drawn: Mapped::filled(Self::DRAWN, |_| draw()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Random, Sizes};

    #[test]
    fn one_seed_gives_one_sequence() {
        let (mut first, mut second) = (Random::new(1), Random::new(1));
        assert!((0..100).all(|_| first.draw() == second.draw()));
        assert_ne!(Random::new(1).draw(), Random::new(2).draw());
    }

    #[test]
    fn numbers_below_a_bound_fill_it_evenly() {
        let mut random = Random::new(3);
        let mut seen = [0; 10];
        (0..100_000).for_each(|_| seen[random.below(10)] += 1);
        assert!(
            seen.iter().all(|count| (9_000..11_000).contains(count)),
            "{seen:?}"
        );
    }

    #[test]
    fn sizes_keep_to_their_range() {
        let all = |sizes: Sizes| (0..2048).map(|draw| sizes.pick(draw)).collect::<Vec<_>>();
        assert!(
            all(Sizes::pareto(16, 4096, 1.2))
                .iter()
                .all(|size| (16..=4096).contains(size))
        );
        assert!(
            all(Sizes::uniform(8, 24))
                .iter()
                .all(|size| (8..=24).contains(size))
        );
        assert!(
            all(Sizes::logarithmic(64, 1024))
                .iter()
                .all(|size| (64..=1024).contains(size))
        );
        let powers = all(Sizes::powers_of_two(16, 16384));
        assert!(
            powers
                .iter()
                .all(|size| size.is_power_of_two() && (16..=16384).contains(size))
        );
    }
}
