//! How much of a cache threads and barns keep: only arithmetic.
#![forbid(unsafe_code)]

use crate::slab::sheaf_bytes;

/// Objects in the first sheaf of a thread.
pub(super) const FIRST_CAPACITY: usize = 6;
/// The most that a program may have a sheaf hold.
pub(super) const MOST_CAPACITY: usize = 1022;
/// The first refill brings a cache line of objects, or one.
const FIRST_REFILL: usize = 64;
/// A barn keeps full sheaves up to these bytes …
const BARN_BYTES: usize = 512 << 10;
/// … but at least and at most these numbers.
const BARN_SHEAVES: (usize, usize) = (2, 16);

const _: () = assert!(sheaf_bytes(FIRST_CAPACITY) == 64 && sheaf_bytes(MOST_CAPACITY) == 8192);

/// How many objects of `size` bytes the refill after one of `last` brings, to a sheaf of `capacity`.
pub(super) fn refill(size: usize, last: usize, capacity: usize) -> usize {
    let first = (FIRST_REFILL / size.max(1)).clamp(1, capacity.max(1));
    (last * 2).clamp(first, capacity.max(1))
}

/// How many full sheaves of objects of `size` bytes a barn keeps.
pub(super) fn barn(size: usize, capacity: usize) -> usize {
    (BARN_BYTES / (size * capacity).max(1)).clamp(BARN_SHEAVES.0, BARN_SHEAVES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refills_double_and_barns_are_bounded() {
        let mut last = 0;
        for expected in [1, 2, 4, 8, 16, 20, 20] {
            last = refill(64, last, 20);
            assert_eq!(last, expected);
        }
        assert_eq!((refill(16, 0, 238), refill(16, 0, 1)), (4, 1));
        assert_eq!((barn(16, 238), barn(48 << 10, 6)), (16, 2));
    }
}
