//! Bits of a word, one for each of some neighbouring objects.
#![forbid(unsafe_code)]

use super::sheaf::Slot;

/// The `count` lowest of `bits`, or all.
#[inline]
pub(super) fn lowest(bits: u64, count: u32) -> u64 {
    if bits.count_ones() <= count {
        return bits;
    }
    let rest = (0..count).fold(bits, |rest, _| rest & rest.wrapping_sub(1));
    bits & !rest
}

/// Shows the number of each bit that is set, from the lowest on.
pub(super) fn each_bit(mut bits: u64, mut show: impl FnMut(u32)) {
    while bits != 0 {
        show(bits.trailing_zeros());
        bits &= bits - 1;
    }
}

/// Puts the objects that have a bit into places, the lowest on top; that of the lowest bit is the one at `first`.
#[inline]
pub(super) fn put(first: Slot, mut bits: u64, size: usize, places: &mut [Slot]) {
    let places = places.iter_mut().rev();
    if bits & bits.wrapping_add(1) == 0 {
        let mut object = first;
        for slot in places {
            *slot = object;
            object = object.wrapping_byte_add(size);
        }
    } else {
        for slot in places {
            *slot = first.wrapping_byte_add(bits.trailing_zeros() as usize * size);
            bits &= bits.wrapping_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_bits_are_chosen_and_put_the_lowest_on_top() {
        assert_eq!(lowest(0b1011_0100, 9), 0b1011_0100);
        assert_eq!(lowest(0b1011_0100, 3), 0b0011_0100);
        assert_eq!((lowest(u64::MAX, 64), lowest(u64::MAX, 0)), (u64::MAX, 0));
        let slot = |address: usize| core::ptr::without_provenance_mut(address);
        for (bits, objects) in [
            (0b1101, [1000 + 48, 1000 + 32, 1000]),
            (0b0111, [1000 + 32, 1000 + 16, 1000]),
            (1 << 63 | 0b11, [1000 + 63 * 16, 1000 + 16, 1000]),
        ] {
            let mut places = [core::ptr::null_mut(); 3];
            put(slot(1000), bits, 16, &mut places);
            assert_eq!(places, objects.map(slot));
            let mut count = 0;
            each_bit(bits, |_| count += 1);
            assert_eq!(count, 3);
        }
    }
}
