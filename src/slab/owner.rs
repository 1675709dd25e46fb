//! Whose a slab is, as one word.
#![forbid(unsafe_code)]

use super::class::ClassInfo;
use super::record::SlabRecord;
use crate::units::ClassId;

/// Whose a slab is: malloc's, or that of the named cache or pool with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(u32);

/// The handles of caches: addresses that stand for numbers, with nothing at them to read. No other copy of the library in
/// the process has one of these.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Handles {
    /// That of the cache with number 1.
    first: usize,
}

impl Handles {
    /// From one handle to the next.
    pub(crate) const STRIDE: usize = 32;
    /// What all of them cover.
    pub(crate) const BYTES: usize = Owner::MOST as usize * Self::STRIDE;

    /// Those from `first` on.
    pub(crate) const fn new(first: usize) -> Self {
        Self { first }
    }

    /// The handle of the cache with number 1.
    pub(crate) const fn first(self) -> usize {
        self.first
    }

    /// The handle of the cache with a number, which is not 0.
    pub(crate) const fn of(self, number: u32) -> usize {
        self.first + (number.saturating_sub(1)) as usize * Self::STRIDE
    }

    /// The number of the cache with a handle; `None` for any other address.
    pub(crate) const fn number(self, handle: usize) -> Option<u32> {
        let place = handle.wrapping_sub(self.first);
        if place >= Self::BYTES || !place.is_multiple_of(Self::STRIDE) {
            return None;
        }
        Some((place / Self::STRIDE) as u32 + 1)
    }
}

const CLASS: u32 = 0xff;
/// Objects that were never out are marked in the sheaf: bit 0 of their address is set.
const MARKS_NEW: u32 = 1 << 8;
/// Empty slabs stay in the cache node until they are taken out of it.
const KEEPS_EMPTY: u32 = 1 << 9;
pub(super) const NUMBER_SHIFT: u32 = 10;

impl Owner {
    /// Nobody but malloc.
    pub(crate) const MALLOC: Self = Self(0);
    /// Cache numbers are below this.
    pub(crate) const MOST: u32 = 1 << 16;
    /// Places of pools are below this.
    pub(crate) const MOST_POOLS: u32 = 1 << 16;

    /// The cache with this number, whose objects are of class `id`; whether it must know which of them are new, and when a
    /// slab goes.
    pub(crate) fn cache(number: u32, id: ClassId, marks_new: bool, keeps_empty: bool) -> Self {
        debug_assert!(number < Self::MOST);
        let flags = if marks_new { MARKS_NEW } else { 0 };
        let flags = flags | if keeps_empty { KEEPS_EMPTY } else { 0 };
        Self((number + 1) << NUMBER_SHIFT | flags | u32::from(id.0))
    }

    /// The pool with this place in the table of pools, whose objects in the slab are of class `id`. Its numbers follow those
    /// of caches.
    pub(crate) fn pool(place: u32, id: ClassId) -> Self {
        debug_assert!(place < Self::MOST_POOLS);
        Self((Self::MOST + place + 1) << NUMBER_SHIFT | u32::from(id.0))
    }

    /// The heap profile, whose objects in the slab are of class `id`. Its number follows those of pools.
    pub(crate) fn profile(id: ClassId) -> Self {
        Self((Self::MOST + Self::MOST_POOLS + 1) << NUMBER_SHIFT | u32::from(id.0))
    }

    /// Whether it is the heap profile.
    #[inline]
    pub(crate) fn is_profile(self) -> bool {
        self.0 >> NUMBER_SHIFT == Self::MOST + Self::MOST_POOLS + 1
    }

    /// The pool's place in the table of pools; `None` for all other owners.
    #[inline]
    pub(crate) fn pool_place(self) -> Option<u32> {
        let place = self.number()?.checked_sub(Self::MOST);
        place.filter(|place| *place < Self::MOST_POOLS)
    }

    /// The owner as a word, which is not 0 for a cache.
    #[inline(always)]
    pub(crate) const fn word(self) -> u32 {
        self.0
    }

    /// The cache's number.
    pub(crate) fn number(self) -> Option<u32> {
        (self.0 >> NUMBER_SHIFT).checked_sub(1)
    }

    /// The class of the objects.
    pub(crate) fn class(self) -> ClassId {
        ClassId((self.0 & CLASS) as u8)
    }

    /// The first object of a slab that is to be marked when it is taken.
    #[inline]
    pub(super) fn first_marked(self, record: &SlabRecord, info: &ClassInfo) -> u32 {
        match self.0 & MARKS_NEW {
            0 => u32::MAX,
            _ => record.known(info).end,
        }
    }

    /// The owner that a word in the table of owners stands for.
    pub(crate) const fn from_word(word: u32) -> Self {
        Self(word)
    }

    /// Whether the first object of a slab goes first, and none is skipped.
    pub(super) fn hands_out_in_order(self) -> bool {
        self.0 & (MARKS_NEW | KEEPS_EMPTY) != 0 || self.pool_place().is_some()
    }

    /// Whether empty slabs stay in the cache node until they are taken out of it.
    #[inline]
    pub(super) fn keeps_empty(self) -> bool {
        self.0 & KEEPS_EMPTY != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_told_from_a_cache() {
        let (pool, cache) = (
            Owner::pool(7, ClassId(9)),
            Owner::cache(7, ClassId(9), false, false),
        );
        assert_eq!((pool.pool_place(), pool.class()), (Some(7), ClassId(9)));
        assert_eq!((cache.pool_place(), cache.number()), (None, Some(7)));
        assert_eq!(Owner::MALLOC.pool_place(), None);
        let last = Owner::pool(Owner::MOST_POOLS - 1, ClassId(1));
        assert_eq!(last.pool_place(), Some(Owner::MOST_POOLS - 1));
        let profile = Owner::profile(ClassId(9));
        assert_eq!((profile.pool_place(), profile.class()), (None, ClassId(9)));
        assert!(profile.is_profile() && !last.is_profile() && !Owner::MALLOC.is_profile());
    }

    #[test]
    fn handles_and_numbers_are_one_to_one() {
        let handles = Handles::new(1 << 40);
        for number in [1, 2, 77, Owner::MOST - 1] {
            assert_eq!(handles.number(handles.of(number)), Some(number));
            assert_eq!(handles.number(handles.of(number) + 8), None);
        }
        for other in [0, (1 << 40) - 32, (1 << 40) + Handles::BYTES, usize::MAX] {
            assert_eq!(handles.number(other), None, "{other:#x}");
        }
    }
}
