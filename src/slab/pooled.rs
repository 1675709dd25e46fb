//! The slabs of one class of a pool, and those of its objects that are at hand: of one word of a slab's bits.
//!
//! # Invariant
//!
//! The caller holds the pool. Each slab is on one of two lists, by whether it has an object to take. Of the word at hand,
//! `known` has the objects that are out for their slab's record, the program's and those at hand, and `ready` those at
//! hand: so a second free of any of them is seen at once, and nothing is written into a free object.
#![forbid(unsafe_code)]

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::class::info;
use super::place::Place;
use super::record::BadObject;
use super::row::{ROW, Row};
use super::sheaf::Object;
use super::table::SlabTables;
use crate::layout::{self, fields};
use crate::units::{ClassId, GranuleIndex};

/// The slabs of one class of a pool.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct PoolClass {
    /// The object of the word that came back last, if nobody took it since: not on the way by its bit, which takes longer.
    last: AtomicPtr<u8>,
    /// The other objects at hand, one bit for each.
    ready: AtomicU64,
    /// Where the object of the lowest bit begins; null where there is no word at hand.
    pub(super) first: AtomicPtr<u8>,
    /// Those of the word that the record has as out.
    pub(super) known: AtomicU64,
    /// Bytes of an object, and what a multiplication tells its start and number by (`class.rs`); 0 until there is a slab.
    pub(super) size: AtomicU32,
    pub(super) divisor: AtomicU32,
    /// Slabs with an object to take, and those without.
    pub(super) partial: List,
    pub(super) full: List,
}

impl PoolClass {
    /// Where its fields lie, for readers outside of the process.
    pub(super) const LAYOUT: &[layout::Row] = fields!(Self as "pool_class" {
        last, ready, first, known, size, partial, full,
    });
}

/// The first slab of a list: granule + 1, or 0 for none.
pub(super) type List = AtomicU32;

/// The numbers of the lists in records.
pub(super) const PARTIAL: u8 = 1;
pub(super) const FULL: u8 = 2;

/// What was wrong with an address that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadFree {
    /// It is free already.
    Twice,
    /// No object that was ever handed out begins there.
    NoObject,
}

/// What becomes of the last slab without an object in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It stays, for the next objects.
    One,
    /// It goes.
    None,
}

// ORDERING: relaxed throughout this file; who holds the pool orders all accesses.

impl PoolClass {
    /// An object that is at hand.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<Object> {
        let last = Object::new(self.last.load(Relaxed));
        if last.is_some() {
            self.last.store(null_mut(), Relaxed);
            return last;
        }
        let ready = self.ready.load(Relaxed);
        if ready == 0 {
            return None;
        }
        self.ready.store(ready & (ready - 1), Relaxed);
        let (first, size) = (self.first.load(Relaxed), self.size.load(Relaxed) as usize);
        Object::new(first.wrapping_byte_add(ready.trailing_zeros() as usize * size))
    }

    /// Takes an object back that is of the word at hand; `false` for any other address.
    #[inline(always)]
    pub(crate) fn push(&self, block: *mut u8) -> bool {
        let Some(bit) = self.bit_of(block.addr()) else {
            return false;
        };
        let (last, ready) = (self.last.load(Relaxed), self.ready.load(Relaxed));
        if (ready ^ self.known.load(Relaxed)) & bit == 0 {
            return false;
        }
        if last.is_null() {
            self.last.store(block, Relaxed);
            return true;
        }
        if last == block {
            return false;
        }
        self.ready.store(ready | bit, Relaxed);
        true
    }

    /// The bit of the object of the word at hand that begins at `address`.
    #[inline(always)]
    fn bit_of(&self, address: usize) -> Option<u64> {
        let offset = address.wrapping_sub(self.first.load(Relaxed).addr());
        // Beyond the slab's last object there are none that are known.
        if offset >= self.size.load(Relaxed) as usize * ROW as usize {
            return None;
        }
        let divisor = self.divisor.load(Relaxed);
        let product = offset as u64 * u64::from(divisor);
        let is_start = (product as u32) < divisor;
        is_start.then_some(1 << ((product >> 32) % u64::from(ROW)))
    }

    /// The objects at hand.
    pub(super) fn at_hand(&self) -> u64 {
        let last = Object::new(self.last.load(Relaxed));
        let bit = last.and_then(|last| self.bit_of(last.addr().get()));
        self.ready.load(Relaxed) | bit.unwrap_or(0)
    }

    /// Bytes of the objects at hand.
    pub(crate) fn ready_bytes(&self, id: ClassId) -> usize {
        self.at_hand().count_ones() as usize * info(id).size as usize
    }

    /// Has up to `most` objects of another word at hand, where none is; returns how many.
    pub(crate) fn refill(&self, place: Place<'_>, id: ClassId, most: u32) -> u32 {
        debug_assert!(self.at_hand() == 0);
        let current = self
            .current(place, id)
            .filter(|slab| place.tables.record(*slab).list() == PARTIAL);
        let Some(slab) = current.or_else(|| self.first_partial()) else {
            return 0;
        };
        let (record, info) = (place.tables.record(slab), info(id));
        let (first, bits) = record.take_word(info, most);
        let start = slab.offset() + (first * info.size) as usize;
        self.ready.store(bits, Relaxed);
        let pointer = place.arena.region().at(start).as_ptr();
        self.first.store(pointer, Relaxed);
        let known = record.out_of_word(info, first);
        self.known.store(known, Relaxed);
        if record.available(info) == 0 {
            self.move_to(place, slab, FULL);
        }
        bits.count_ones()
    }

    /// Puts the objects at hand back into their slab, of which as many are kept without an object in use; returns how many. No word is at
    /// hand then.
    pub(crate) fn put_back(&self, place: Place<'_>, id: ClassId, keep: Keep) -> u32 {
        let ready = self.at_hand();
        let slab = self.current(place, id);
        let first = self.first.load(Relaxed);
        self.forget_word();
        if let Some(slab) = slab.filter(|_| ready != 0) {
            let offset = first.addr() - place.arena.base() - slab.offset();
            let record = place.tables.record(slab);
            record.give_word(info(id).object_at(offset).0, ready);
            self.relist(place, id, slab, keep);
        }
        ready.count_ones()
    }

    /// Takes the object at `address`, which lies in one of the slabs, back into its slab, past what is at hand.
    pub(crate) fn give(
        &self,
        place: Place<'_>,
        id: ClassId,
        address: usize,
        keep: Keep,
    ) -> Result<(), BadFree> {
        let info = info(id);
        let offset = address - place.arena.base();
        let slab = SlabTables::slab_of(GranuleIndex::containing(offset), info);
        let (index, is_start) = info.object_at(offset - slab.offset());
        if !is_start || index >= info.objects {
            return Err(BadFree::NoObject);
        }
        if self
            .bit_of(address)
            .is_some_and(|bit| self.at_hand() & bit != 0)
        {
            return Err(BadFree::Twice);
        }
        let record = place.tables.record(slab);
        let row = Row {
            first: index,
            count: 1,
        };
        match record.give(info, row) {
            Ok(()) => {}
            Err(BadObject::Free) => return Err(BadFree::Twice),
            Err(BadObject::Unknown) => return Err(BadFree::NoObject),
        }
        self.relist(place, id, slab, keep);
        Ok(())
    }

    /// Whether the object at `address`, which lies in one of the slabs, is the last of its slab that is out: with it the slab may go.
    pub(crate) fn is_last(place: Place<'_>, id: ClassId, address: usize) -> bool {
        let granule = GranuleIndex::containing(address - place.arena.base());
        let slab = SlabTables::slab_of(granule, info(id));
        place.tables.record(slab).out() <= 1
    }

    /// The slab that the word at hand is of.
    pub(super) fn current(&self, place: Place<'_>, id: ClassId) -> Option<GranuleIndex> {
        let first = Object::new(self.first.load(Relaxed))?.addr().get();
        let granule = GranuleIndex::containing(first - place.arena.base());
        Some(SlabTables::slab_of(granule, info(id)))
    }

    pub(super) fn forget_word(&self) {
        self.last.store(null_mut(), Relaxed);
        self.ready.store(0, Relaxed);
        self.first.store(null_mut(), Relaxed);
        self.known.store(0, Relaxed);
    }
}
