//! How many bytes lie between two samples, and how much a sample stands for.
//!
//! Samples are the events of a Poisson process over the bytes that a thread allocates, with one event in `rate` bytes in the
//! mean: the distance to the next one is exponentially distributed and forgets the past, so that a block of `b` bytes has one
//! with the probability `1 - exp(-b / rate)` whatever else its thread allocates. A block that was sampled stands for the
//! inverse of that many blocks, and the sums have no bias for any size.
#![forbid(unsafe_code)]

/// Bits after the point of what a sample stands for.
pub(crate) const FRACTION_BITS: u32 = 16;

/// A generator of random numbers: splitmix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
/// Returns a number, and the state that follows.
pub(crate) fn random(state: u64) -> (u64, u64) {
    let next = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut number = next;
    number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (number ^ number >> 31, next)
}

/// The distance in bytes to the next sample, exponentially distributed with the mean `rate`, from a random number; at least 1.
/// With a rate of 1 every block has one.
pub(crate) fn distance(rate: u64, random: u64) -> u64 {
    if rate <= 1 {
        return 1;
    }
    // Uniform between 0, without it, and 1.
    let uniform = ((random >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let distance = -natural_logarithm(uniform) * rate as f64;
    // The first byte that the sample may be is the next one.
    (distance as u64).saturating_add(1)
}

/// How many blocks of `bytes` a sampled one stands for, with [`FRACTION_BITS`].
pub(crate) fn count(rate: u64, bytes: usize) -> u64 {
    let one = (1_u64 << FRACTION_BITS) as f64;
    if rate <= 1 {
        return one as u64;
    }
    let share = bytes.max(1) as f64 / rate as f64;
    (one / probability(share) + 0.5) as u64
}

/// `bytes` by a count.
pub(crate) fn times(bytes: usize, count: u64) -> u64 {
    let product = bytes as u128 * u128::from(count);
    u64::try_from(product >> FRACTION_BITS).unwrap_or(u64::MAX)
}

/// `1 - exp(-x)` for `x` above 0.
fn probability(x: f64) -> f64 {
    if x < 0.01 {
        // The difference would lose digits.
        return x * (1.0 - x / 2.0 * (1.0 - x / 3.0 * (1.0 - x / 4.0)));
    }
    if x > 40.0 {
        return 1.0;
    }
    // exp(-x) is the 64th power of exp(-x / 64), of which a few terms suffice.
    let step = -x / 64.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    let mut number = 1.0;
    while number < 12.0 {
        term *= step / number;
        sum += term;
        number += 1.0;
    }
    for _ in 0..6 {
        sum *= sum;
    }
    1.0 - sum
}

/// The natural logarithm of a number above 0 that is no more than 1.
fn natural_logarithm(number: f64) -> f64 {
    const BIAS: i64 = 1023;
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = number.to_bits();
    let exponent = (bits >> 52) as i64 - BIAS;
    let mantissa = f64::from_bits(bits & MANTISSA | (BIAS as u64) << 52);
    // ln((1 + t) / (1 - t)) = 2 (t + t^3 / 3 + t^5 / 5 + ...), and t is a third at most.
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let (mut power, mut sum, mut divisor) = (t, 0.0, 1.0);
    while divisor < 30.0 {
        sum += power / divisor;
        power *= t * t;
        divisor += 2.0;
    }
    exponent as f64 * core::f64::consts::LN_2 + 2.0 * sum
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn functions_agree_with_those_of_the_standard_library() {
        for step in 1..10_000 {
            let x = f64::from(step) / 500.0;
            let right = -(-x).exp_m1();
            assert!((probability(x) / right - 1.0).abs() < 1e-9, "{x}");
            let number = f64::from(step) / 10_000.0;
            let error = natural_logarithm(number) - number.ln();
            assert!(error.abs() < 1e-12, "{number}");
        }
        for x in [1e-9_f64, 1e-5, 0.009_999, 0.010_001, 39.9, 40.1, 1e6] {
            let right = -(-x).exp_m1();
            assert!((probability(x) / right - 1.0).abs() < 1e-9, "{x}");
        }
    }

    /// The sum of what samples stand for is what was allocated, within what 10^5 samples leave to chance: 5 standard deviations.
    #[test]
    fn sums_have_no_bias_for_any_size() {
        const RATE: u64 = 512 << 10;
        let mut state = 42;
        for bytes in [16_usize, 1000, 65_536, 512 << 10, 8 << 20] {
            let (mut left, mut samples, mut sum, mut blocks) = (0_u64, 0_u64, 0.0, 0_u64);
            let mut draw = || {
                let (number, next) = random(state);
                state = next;
                distance(RATE, number)
            };
            left += draw();
            while samples < 100_000 && blocks < 4_000_000 {
                // Many small blocks at once, which are too few for a sample.
                let skipped = (left - 1) / bytes as u64;
                blocks += skipped + 1;
                samples += 1;
                sum += count(RATE, bytes) as f64 / (1_u64 << FRACTION_BITS) as f64;
                left = draw();
            }
            let share = bytes as f64 / RATE as f64;
            let deviation = (-share).exp().sqrt() / (samples as f64).sqrt();
            let error = sum / blocks as f64 - 1.0;
            assert!(error.abs() < 5.0 * deviation + 1e-4, "{bytes}: {error}");
        }
    }

    #[test]
    fn with_a_rate_of_one_byte_every_block_is_sampled_and_stands_for_itself() {
        assert_eq!((distance(1, 7), count(1, 16)), (1, 1 << FRACTION_BITS));
        assert_eq!(times(1000, 3 << FRACTION_BITS | 1 << 15), 3500);
        assert_eq!(times(usize::MAX, u64::MAX), u64::MAX);
    }
}
