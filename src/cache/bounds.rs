//! The bounds of a main sheaf: where its thread meets the holder of the cache's lock.
//!
//! # Invariant
//!
//! `top` points to the last filled slot; its lower half is at most `floor` when there is nothing to
//! take, and at least `limit` when the sheaf is full. Only the cache's thread moves `top`, and only who
//! holds the cache's lock moves `floor`. `bottom`, at which the fast path looks, is the floor, or above all slots while every
//! `malloc` is counted (`counted.rs`).
//!
//! `tests/models` compiles this file as well, with the atomics of loom as `super::atomic`.
#![forbid(unsafe_code)]

use super::atomic::{
    AtomicPtr, AtomicU32,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    compiler_fence,
};
use super::{Floor, Veil};
use crate::slab::Slot;

/// Where a main sheaf's objects begin and end.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Bounds {
    /// The last filled slot.
    pub(super) top: AtomicPtr<Slot>,
    /// The floor, as the fast path sees it.
    pub(super) bottom: AtomicU32,
    /// The last slot.
    pub(super) limit: AtomicU32,
    /// The slot below the first that may be taken.
    pub(super) floor: Floor,
    /// What is set in `bottom` beside the floor: nothing, or all bits while the fast path is to take nothing.
    pub(super) veil: Veil,
}

// ORDERING: relaxed where nothing else is said. The thread and its visitors are apart in time, which
// `idle.rs` explains; others read for statistics, where a torn moment does not matter.

impl Bounds {
    /// Takes the topmost slot, if there is one to take and the fast path is not shut.
    #[inline(always)]
    pub(super) fn take(&self) -> Option<*mut Slot> {
        self.take_above(|| self.bottom.load(Relaxed))
    }

    /// The same past the fast path.
    #[inline(always)]
    pub(super) fn take_past(&self) -> Option<*mut Slot> {
        self.take_above(|| self.floor.load(Relaxed))
    }

    #[inline(always)]
    fn take_above(&self, bottom: impl FnOnce() -> u32) -> Option<*mut Slot> {
        let top = self.top.load(Relaxed);
        // First the slot is taken, then it is seen whether it was there to take: who raises `bottom`
        // looks at `top` afterwards, and one of the two sees what the other did (`idle.rs`).
        self.top.store(top.wrapping_sub(1), Relaxed);
        compiler_fence(SeqCst);
        if top as u32 <= bottom() {
            self.top.store(top, Relaxed);
            return None;
        }
        Some(top)
    }

    /// Shuts the fast path of `malloc`, or opens it again; the caller holds the cache's lock.
    pub(super) fn shut(&self, is_shut: bool) {
        self.veil.store(if is_shut { u32::MAX } else { 0 }, Relaxed);
        self.set_floor(self.floor.load(Relaxed));
    }

    /// Moves the floor; the caller holds the cache's lock.
    pub(super) fn set_floor(&self, floor: u32) {
        self.floor.store(floor, Relaxed);
        self.bottom.store(floor | self.veil.load(Relaxed), Relaxed);
    }

    /// Makes `above`, which the thread has filled, the last slot.
    #[inline(always)]
    pub(super) fn put(&self, above: *mut Slot) {
        // ORDERING: release, pairs with `detached`: the slot is written before `top` says so.
        self.top.store(above, Release);
    }

    /// Number of slots that may be taken.
    pub(super) fn count(&self) -> usize {
        let top = self.top.load(Relaxed) as u32;
        // For a moment `top` is below the floor of an empty sheaf.
        top.saturating_sub(self.floor.load(Relaxed)) as usize / size_of::<Slot>()
    }

    /// Raises the floor to the top and returns by how many slots; the caller holds the cache's lock.
    pub(super) fn detach(&self) -> usize {
        let count = self.count();
        if count > 0 {
            self.set_floor(self.floor.load(Relaxed) + bytes(count));
        }
        count
    }

    /// The lowest of `count` detached slots, if the thread left them alone. They were detached so long ago that the
    /// thread knows of it.
    pub(super) fn detached(&self, count: usize) -> Option<*mut Slot> {
        // ORDERING: acquire, pairs with `put`.
        let top = self.top.load(Acquire);
        let above = (top as u32).checked_sub(self.floor.load(Relaxed))?;
        // It is `count - 1` below the floor, which `detach` raised to a filled slot.
        Some(
            top.wrapping_byte_sub(above as usize)
                .wrapping_sub(count - 1),
        )
    }

    /// Lowers the floor by `count` slots that were detached.
    pub(super) fn reattach(&self, count: usize) {
        self.set_floor(self.floor.load(Relaxed) - bytes(count));
    }

    /// Says that the floor is at `place` now, and `count` filled slots above it. For the cache's thread.
    pub(super) fn move_to(&self, place: *mut Slot, count: usize) {
        self.set_floor(place as u32);
        self.top.store(place.wrapping_add(count), Relaxed);
    }

    /// Where the floor is. A thread that did not survive a fork may have left `top` below it.
    pub(super) fn bottom_place(&self) -> *mut Slot {
        let top = self.top.load(Relaxed);
        let above = (top as u32)
            .wrapping_sub(self.floor.load(Relaxed))
            .cast_signed();
        top.wrapping_byte_offset(-(above as isize))
    }
}

fn bytes(count: usize) -> u32 {
    (count * size_of::<Slot>()) as u32
}
