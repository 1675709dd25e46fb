//! Pools that are gone and keep a slab of each class for the next one, which saves the way of their slabs to the heap and back.
//!
//! # Invariant
//!
//! A pool that rests has no block, no children, no parent and no handle. Who takes it to or from the list holds `life`.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::structure::{Pool, RESTING};
use super::{Life, Pools};
use crate::decay::{Elapsed, LowWatermark};
use crate::heap::Node;
use crate::slab::Keep;
use crate::slab::class::info;
use crate::sync::Guard;

/// The most bytes of slabs that all of them keep.
const MOST_BYTES: usize = 4 << 20;

/// The pools that rest.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// The last one, place + 1; 0 for none.
    top: u32,
    count: usize,
    unused: LowWatermark,
}

/// Bytes of the slabs that pools keep.
#[derive(Debug, Default)]
pub(super) struct RestingBytes(AtomicUsize);

// ORDERING: relaxed throughout: `life` orders all but `RestingBytes`, which is a number.

impl RestingBytes {
    fn has_room(&self, bytes: usize) -> bool {
        self.0.load(Relaxed) + bytes <= MOST_BYTES
    }
}

impl Pool {
    /// Bytes of the slabs that it has, if that is one of each class; the caller holds it, or it rests.
    fn kept_bytes(&self) -> usize {
        let with_slabs = self.used_classes().filter(|id| self.class(*id).has_slabs());
        with_slabs.map(|id| info(id).slab_bytes()).sum()
    }
}

impl Pools {
    /// What a pool that ends does with the last slab of a class; the caller holds it.
    pub(super) fn keep_of(&self, pool: &Pool) -> Keep {
        // Where there are pools below it, it would keep them for as long as those are there.
        let rests = pool.children.load(Relaxed) == 0 && self.resting.has_room(pool.kept_bytes());
        if rests { Keep::One } else { Keep::None }
    }

    /// A pool that nothing is left of but slabs rests from now on.
    pub(super) fn rest(&self, life: &mut Guard<'_, Life>, pool: &Pool) {
        let place = pool.place.load(Relaxed);
        self.resting.0.fetch_add(pool.kept_bytes(), Relaxed);
        pool.state.store(RESTING, Relaxed);
        self.next(place).store(life.rest.top, Relaxed);
        life.rest.top = place + 1;
        life.rest.count += 1;
    }

    /// The place of a pool that rests, with its slabs, which are on `node`, for the caller to use.
    pub(super) fn wake(&self, life: &mut Guard<'_, Life>, node: &Node) -> Option<u32> {
        let (mut above, mut next) = (None, life.rest.top);
        loop {
            let place = next.checked_sub(1)?;
            let pool = self.table.get(place as usize);
            next = self.next(place).load(Relaxed);
            if pool.node.get().is_some_and(|it| core::ptr::eq(it, node)) {
                match above {
                    Some(above) => self.next(above).store(next, Relaxed),
                    None => life.rest.top = next,
                }
                let rest = &mut life.rest;
                rest.count -= 1;
                rest.unused.lower(rest.count);
                self.resting.0.fetch_sub(pool.kept_bytes(), Relaxed);
                return Some(place);
            }
            above = Some(place);
        }
    }

    /// Gives back the slabs of pools that rest and were not needed; returns whether there were any.
    pub(crate) fn decay(&self, elapsed: Elapsed) -> bool {
        let mut life = self.life.lock();
        let count = life.rest.count;
        let many = life.rest.unused.excess(count, elapsed, 1);
        for _ in 0..many {
            let top = self.table.get(life.rest.top.saturating_sub(1) as usize);
            let (Some(node), Some(held)) = (top.node.get(), top.hold()) else {
                break;
            };
            self.wake(&mut life, node);
            self.empty(top, &held, Keep::None);
            drop(held);
            self.leave(&mut life, top);
        }
        many > 0
    }
}
