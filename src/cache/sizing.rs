//! How much a thread and a barn keep: only constants and arithmetic.
#![forbid(unsafe_code)]

use crate::slab::{class, sheaf_bytes};
use crate::units::ClassId;

/// Objects of a sheaf, by the largest size that gets that number: a sheaf is 64 to 1,920 bytes, and
/// what it holds is about 32 KiB, up to 384 KiB for the largest that come from slabs. Spans are worth less each: a thread
/// that frees one and needs one of about that size again is served by the first few. The long sheaves are an odd number of
/// times 128 bytes long, and lie one after the other: else the tops of all would be at few places of a page.
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
/// Objects above this are larger ones: what a thread's sheaves have room for of them is bounded …
const LARGER: u32 = 2 << 10;
/// … for so few threads by these bytes each …
pub(super) const FEW: usize = 4;
pub(super) const FEW_SHARE: usize = 16 << 20;
/// … and for more by these in all, or within that by a part of what is lent.
const ALL_SHARES: (usize, usize) = (8 << 20, 64 << 20);
const LENT_SHARE: usize = 2;
/// All threads' where less memory is worth more time.
const TINY_SHARES: usize = 64 << 10;
/// Bytes of smaller objects of a class that a thread has.
const TINY_SHEAF: usize = 4 << 10;
/// A sheaf has room for this share of that.
const SHEAVES: usize = 4;

/// Whether the objects of a class are larger ones.
pub(super) fn is_larger(id: ClassId) -> bool {
    class::info(id).size > LARGER
}

/// How many bytes of larger objects a thread's sheaves have room for where there are `threads` and `lent` bytes are
/// in use.
pub(super) fn share(threads: usize, lent: usize) -> usize {
    if threads <= FEW {
        return FEW_SHARE;
    }
    (lent / LENT_SHARE).clamp(ALL_SHARES.0, ALL_SHARES.1) / threads.max(1)
}

/// The same where less memory is worth more time.
pub(super) fn tiny_share(threads: usize) -> usize {
    TINY_SHARES / threads.max(1)
}

/// How many smaller objects a thread's only sheaf of their class has room for then.
pub(super) fn tiny_room(id: ClassId) -> usize {
    let objects = TINY_SHEAF / class::info(id).size.max(1) as usize;
    objects
        .clamp(FIRST_CAPACITY, SECOND_CAPACITY)
        .min(capacity(id))
}

/// How many larger objects of a class a sheaf has room for, where its thread's have room for `share` bytes.
pub(super) fn room(id: ClassId, share: usize) -> usize {
    let size = (class::info(id).size as usize).max(1);
    let least = usize::from(size <= share);
    (share / SHEAVES / size).clamp(least, capacity(id))
}
/// Bytes that the first refill of a bin brings, or one object; each further one twice as many
/// objects. A thread that allocates little parks little, but no two threads write to one cache line
/// because of that.
const FIRST_REFILL: usize = 64;
/// Objects in the first sheaf of a bin.
pub(crate) const FIRST_CAPACITY: usize = 6;
/// Objects in the second; the next is of full size.
pub(crate) const SECOND_CAPACITY: usize = 30;
/// In a process with more threads than this nobody opens one beyond the second any more.
pub(crate) const MANY_THREADS: usize = 128;

/// The room of a sheaf for `wanted` objects or more that grows, where the most is `most`.
pub(super) fn step(wanted: usize, most: usize) -> usize {
    match wanted <= SECOND_CAPACITY {
        true => SECOND_CAPACITY.min(most),
        false => most,
    }
}

/// A barn keeps full sheaves up to these bytes …
const BARN_BYTES: usize = 512 << 10;
/// … and where clusters have barns of their own, down to this part of it each …
const BARN_DIVIDED: usize = 4;
/// … but at least and at most these numbers.
const BARN_SHEAVES: (usize, usize) = (2, 16);
/// How many objects a sheaf of this class holds.
#[inline]
pub(crate) fn capacity(id: ClassId) -> usize {
    CAPACITY.get(id.index()).copied().map_or(0, usize::from)
}

/// Capacities by class.
pub(super) static CAPACITY: [u8; class::ALL_CLASSES + 1] = {
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

/// How many full sheaves a barn of this class keeps where there is one for each of `clusters`, and how many while
/// memory is short.
pub(crate) fn barn(id: ClassId, is_tight: bool, clusters: usize) -> usize {
    if is_tight {
        return BARN_SHEAVES.0;
    }
    let sheaf = capacity(id) * class::info(id).size as usize;
    let bytes = BARN_BYTES / clusters.clamp(1, BARN_DIVIDED);
    (bytes / sheaf.max(1)).clamp(BARN_SHEAVES.0, BARN_SHEAVES.1)
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
            assert_eq!(room(id, FEW_SHARE), capacity(id));
        }
        for id in class::every().filter(|id| is_larger(*id)) {
            assert!(capacity(id) <= SECOND_CAPACITY);
        }
        let share = |threads, lent| super::share(threads, lent) >> 10;
        assert_eq!(
            [1, 4, 8, 64].map(|threads| share(threads, 0)),
            [16 << 10, 16 << 10, 1 << 10, 128]
        );
        assert_eq!(
            [1 << 20, 100 << 20, 1 << 30].map(|lent| share(64, lent)),
            [128, 800, 1 << 10]
        );
        let rooms = |size| [16, 128, 400].map(|share| room(class_of(size), share << 10));
        assert_eq!((rooms(4 << 10), rooms(32 << 10)), ([1, 8, 14], [0, 1, 3]));
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
            [1, 2, 4, 32].map(|clusters| barn(class_of(128), false, clusters)),
            [16, 8, 4, 4]
        );
        assert_eq!(
            [16, 32 << 10].map(|size| barn(class_of(size), false, 1)),
            [16, 2]
        );
    }
}
