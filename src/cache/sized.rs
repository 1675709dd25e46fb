//! Fast paths of those who know a block's size.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::Relaxed;

use super::bin::Bin;
use super::{ThreadCache, class_of_granule, own};
use crate::slab::class;
use crate::units::{BLOCK_SIZE, ClassId, GRANULE_SHIFT};

impl ThreadCache {
    /// As [`Self::push`], for an object of the class of `bytes`; `false` for any other, too.
    #[inline(always)]
    pub(crate) fn push_sized(&self, block: *mut u8, bytes: usize) -> bool {
        self.bin_of(block, bytes).is_some_and(|bin| bin.push(block))
    }

    /// Whether `block` is the start of an object of this cache's node whose class serves `bytes`.
    #[inline(always)]
    pub(crate) fn is_in_class_of(&self, block: *const u8, bytes: usize) -> bool {
        self.bin_of(block, bytes).is_some()
    }

    /// Whether `block` is the start of an object of this cache's node that may stay as it is when it becomes `bytes` long.
    #[inline(always)]
    pub(crate) fn may_stay(&self, block: *const u8, bytes: usize) -> bool {
        let Some(id) = self.class_at(block, bytes) else {
            return false;
        };
        let is_right = match bytes <= class::MAX_SMALL {
            true => class::info(id).may_stay(bytes),
            false => id == class::coarse_class_of(bytes),
        };
        is_right && self.bin(id).is_start(block as usize)
    }

    /// The usable bytes of `block`, if that is the start of an object of this cache's node.
    #[inline(always)]
    pub(crate) fn usable_size(&self, block: *const u8) -> Option<usize> {
        let id = self.class_at(block, 0)?;
        // Class 0 and the slabs of named caches have no size here.
        let bytes = class::info(id).size as usize;
        (bytes != 0 && self.bin(id).is_start(block as usize)).then_some(bytes)
    }

    /// The class of `block`, in this cache's node, if it has at least `bytes` bytes.
    #[inline(always)]
    fn class_at(&self, block: *const u8, bytes: usize) -> Option<ClassId> {
        let offset = (block as usize).wrapping_sub(own(&self.arena_base));
        if offset >= own(&self.arena_bytes) || bytes > BLOCK_SIZE {
            return None;
        }
        let map = self.class_map.load(Relaxed);
        Some(class_of_granule(map, offset >> GRANULE_SHIFT))
    }

    /// The bin of `block`, if that is the start of an object of this cache's node whose class serves `bytes`.
    #[inline(always)]
    fn bin_of(&self, block: *const u8, bytes: usize) -> Option<&Bin> {
        let id = self.class_at(block, bytes)?;
        let bin = self.bin(id);
        let is_right = match bytes <= class::FINE_LIMIT {
            true => core::ptr::eq(bin, self.fine_bin(bytes)) || serves(id, bytes),
            false => id == class::coarse_class_of(bytes),
        };
        (is_right && bin.is_start(block as usize)).then_some(bin)
    }
}

/// Whether objects of class `id` serve `bytes` in threads that ask for many of them, or for few.
#[cold]
#[inline(never)]
fn serves(id: ClassId, bytes: usize) -> bool {
    let own = class::class_of(bytes);
    id == own || id == class::common(own)
}
