//! How much a thread and a barn keep: constants and arithmetic alone.
#![forbid(unsafe_code)]

use crate::slab::{class, sheaf_bytes};
use crate::units::ClassId;

/// Objects of a sheaf, by the largest size that gets so many: a sheaf is 64 to 1,920 bytes, and
/// what it holds is about 32 KiB, up to 384 KiB for the largest that come from slabs. Spans are worth less each: a thread
/// that frees one and needs one of about that size again is served by the first few. The long sheaves are an odd number of
/// times 128 bytes long, and lie one behind the other: else the tops of all would be at few places of a page.
const CAPACITIES: [(u32, usize); 9] = [
    (128, 238),
    (256, 110),
    (512, 46),
    (2 << 10, 30),
    (8 << 10, 14),
    (128 << 10, 6),
    (256 << 10, 4),
    (1 << 20, 2),
    (4 << 20, 1),
];
/// The spans that a thread's sheaves have room for are at most so many bytes …
pub(super) const SPAN_BYTES: usize = 16 << 20;
/// … and with many threads at most this, divided among them, beside what a single sheaf has room for.
const ALL_SPAN_BYTES: usize = 64 << 20;

/// How many bytes of spans a thread's sheaves have room for where there are so many threads.
pub(super) fn span_bytes(threads: usize) -> usize {
    (ALL_SPAN_BYTES / threads.max(1)).min(SPAN_BYTES)
}
/// The first refill of a bin brings so many bytes, or one object; each further one twice as many
/// objects. A thread that allocates little parks little, but no two threads write to one cache line
/// because of that.
const FIRST_REFILL: usize = 64;
/// The first sheaf of a bin has room for so many.
pub(crate) const FIRST_CAPACITY: usize = 6;
/// In a process with more threads than this …
pub(crate) const CROWD: usize = 128;
/// … no sheaf that a thread has for itself has room for more.
pub(crate) const CROWD_CAPACITY: usize = 30;
/// A barn keeps full sheaves up to these bytes …
const BARN_BYTES: usize = 512 << 10;
/// … but at least and at most so many.
const BARN_SHEAVES: (usize, usize) = (2, 16);
/// How many objects a sheaf of this class holds.
#[inline]
pub(crate) fn capacity(id: ClassId) -> usize {
    CAPACITY.get(id.index()).copied().map_or(0, usize::from)
}

/// Capacities by class.
static CAPACITY: [u8; class::ALL_CLASSES + 1] = {
    let mut table = [0; class::ALL_CLASSES + 1];
    let (mut id, mut step) = (1, 0);
    while id <= class::ALL_CLASSES {
        while CAPACITIES[step].0 < class::size_of_class(id) {
            step += 1;
        }
        table[id] = CAPACITIES[step].1 as u8;
        id += 1;
    }
    table
};

/// Bytes of a sheaf of this class.
pub(crate) fn bytes(id: ClassId) -> usize {
    sheaf_bytes(capacity(id))
}

/// How many objects the refill after one of `last` brings.
pub(crate) fn refill(id: ClassId, last: usize) -> usize {
    let first = (FIRST_REFILL / class::info(id).size.max(1) as usize).max(1);
    (last * 2).clamp(first, capacity(id))
}

/// How many full sheaves a barn of this class keeps, and how many while memory is short.
pub(crate) fn barn(id: ClassId, is_tight: bool) -> usize {
    if is_tight {
        return BARN_SHEAVES.0;
    }
    let sheaf = capacity(id) * class::info(id).size as usize;
    (BARN_BYTES / sheaf.max(1)).clamp(BARN_SHEAVES.0, BARN_SHEAVES.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slab::class::class_of;

    #[test]
    fn every_sheaf_fits_into_a_page_and_holds_at_most_384_kib() {
        for id in class::all() {
            assert!((64..2048).contains(&bytes(id)));
            // A long one begins where the one before ends, and never at a half of a page like all others.
            assert!(bytes(id) <= 256 || bytes(id) % 256 == 128);
            assert!(capacity(id) * class::info(id).size as usize <= 384 << 10);
        }
        for id in class::spans() {
            assert!((1..=FIRST_CAPACITY).contains(&capacity(id)));
            assert!(capacity(id) * class::info(id).size as usize <= SPAN_BYTES / 4);
        }
        assert_eq!(
            [1, 4, 8, 64].map(|threads| span_bytes(threads) >> 20),
            [16, 16, 8, 1]
        );
    }

    #[test]
    fn refills_double_up_to_the_capacity() {
        let id = class_of(64);
        let mut last = 0;
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 238, 238] {
            last = refill(id, last);
            assert_eq!(last, expected);
        }
        assert_eq!(
            [16, 32, 48].map(|size| refill(class_of(size), 0)),
            [4, 2, 1]
        );
        assert_eq!(refill(class_of(32 << 10), 4), 6);
        assert_eq!(
            (barn(class_of(16), false), barn(class_of(32 << 10), false)),
            (16, 2)
        );
    }
}
