//! Everything of a pool goes at once, or the pool goes and its blocks stay.

use core::sync::atomic::Ordering::Relaxed;

use super::Pools;
use super::handle::PoolHandle;
use super::hold::{Held, Stays};
use super::structure::{CLOSED, Pool};
use crate::slab::Keep;
use crate::sys;

impl Pools {
    /// Gives all blocks of a pool back, which nobody uses any more.
    pub(crate) fn reset(
        &'static self,
        pool: &'static Pool,
        handle: PoolHandle,
    ) -> Result<(), Stays> {
        let held = pool.hold_as(handle)?;
        self.empty(pool, &held, Keep::One);
        Ok(())
    }

    /// The same, and ends the pool.
    pub(crate) fn destroy(
        &'static self,
        pool: &'static Pool,
        handle: PoolHandle,
    ) -> Result<(), Stays> {
        let mut held = pool.hold_as(handle)?;
        close(pool, &mut held);
        let keep = self.keep_of(pool);
        self.empty(pool, &held, keep);
        if keep == Keep::One {
            pool.note_emptied();
        }
        drop(held);
        self.retire_if_gone(pool);
        Ok(())
    }

    /// Ends a pool whose blocks stay: memory goes with the last of them.
    pub(crate) fn release(
        &'static self,
        pool: &'static Pool,
        handle: PoolHandle,
    ) -> Result<(), Stays> {
        let mut held = pool.hold_as(handle)?;
        close(pool, &mut held);
        pool.put_all_back();
        pool.account.settle();
        for id in pool.used_classes() {
            if let Some(place) = pool.place_of(id) {
                pool.class(id).trim(place, id);
            }
        }
        drop(held);
        self.retire_if_gone(pool);
        Ok(())
    }

    /// Bytes that the blocks of a pool have, and those of the pools below it.
    pub(crate) fn used(&'static self, pool: &'static Pool) -> usize {
        let held = pool.hold();
        let ready = held.as_ref().map_or(0, |_| pool.ready_bytes());
        pool.account.used(ready)
    }

    /// Has a pool and those below it use at most `limit` bytes from now on; what is there already stays.
    pub(crate) fn set_limit(
        &'static self,
        pool: &'static Pool,
        handle: PoolHandle,
        limit: usize,
    ) -> Result<(), Stays> {
        match pool.hold_as(handle) {
            Ok(_held) => {
                pool.put_all_back();
                pool.account.settle();
            }
            // Another thread's, which has at hand what it has.
            Err(Stays::Busy) => {}
            Err(Stays::Gone) => return Err(Stays::Gone),
        }
        pool.account.limit.store(limit, Relaxed);
        Ok(())
    }

    /// The pool that a block is charged to: its own, or the first above that is not closed.
    pub(crate) fn living(pool: &'static Pool) -> Option<&'static Pool> {
        let mut next = Some(pool);
        while let Some(pool) = next.filter(|pool| pool.is_closed()) {
            next = pool.parent.get();
        }
        next
    }

    pub(super) fn empty(&self, pool: &Pool, _held: &Held<'_>, keep: Keep) {
        for id in pool.used_classes() {
            if let Some(place) = pool.place_of(id) {
                pool.class(id).end(place, id, keep, |start, bytes| {
                    if pool.clears() {
                        // SAFETY: nobody uses an object of the slab, and no other slab has its memory yet.
                        unsafe { sys::clear(start, bytes) };
                    }
                });
            }
        }
        while let Some((block, bytes)) = self.blocks.pop(&pool.blocks) {
            if pool.clears() {
                // SAFETY: as above.
                unsafe { sys::clear(block, bytes) };
            }
            self.heap.give(block);
        }
        pool.account.clear();
    }
}

/// Ends a pool for its callers; the caller holds it.
fn close(pool: &Pool, held: &mut Held<'_>) {
    pool.end(held);
    pool.state.store(CLOSED, Relaxed);
    // What its blocks and the pools below it use is for those above to limit.
    pool.account.limit.store(usize::MAX, Relaxed);
}
