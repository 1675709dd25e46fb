//! Blocks that come back to their pool.

use core::sync::atomic::Ordering::Relaxed;

use super::Pools;
use super::handle::PoolHandle;
use super::structure::Pool;
use crate::heap::Home;
use crate::report::{Context, Violation, report_violation};
use crate::slab::class::info;
use crate::slab::{BadFree, Keep, Object, PoolClass};
use crate::sys;
use crate::units::ClassId;

impl Pool {
    /// Takes a block back that is one of the objects at hand last, of a pool for one thread; `false` for any other address.
    #[inline(always)]
    pub(crate) fn give_single(&self, handle: PoolHandle, block: *mut u8) -> bool {
        let push = || {
            // Whose word at hand the block lies in is told by that itself, sooner than by the block's owner.
            self.recent().push(block)
                || self
                    .class_at(block.addr())
                    .is_some_and(|id| self.class(id).push(block))
        };
        self.run_single(handle, push) == Some(true)
    }

    /// Takes any object of the pool's back with which no slab goes; `false` for any other address.
    #[inline]
    pub(crate) fn give_ready(&self, handle: PoolHandle, block: *mut u8) -> bool {
        let address = block.addr();
        let Some(id) = self.class_at(address) else {
            return false;
        };
        let (class, Some(place), Some(_held)) =
            (self.class(id), self.place_of(id), self.hold_plain(handle))
        else {
            return false;
        };
        if class.push(block) {
            return true;
        }
        if PoolClass::is_last(place, id, address)
            || class.give(place, id, address, Keep::One).is_err()
        {
            return false;
        }
        self.account.uncharge(info(id).size as usize);
        true
    }
}

impl Pool {
    /// Clears what a block that stays has beyond `bytes`, where that is asked for: it may grow again.
    pub(super) fn clear_rest(&self, block: Object, bytes: usize, whole: usize) {
        if self.clears() {
            // SAFETY: it has `whole` bytes, and is to be used up to `bytes`, which are no more.
            let rest = unsafe { block.add(bytes) };
            // SAFETY: as above.
            unsafe { sys::clear(rest, whole.saturating_sub(bytes)) };
        }
    }
}

impl Pools {
    /// Takes the block at `block` back, which is one of `pool`. What is wrong with it is reported. `false` in a signal handler that
    /// must not wait.
    pub(crate) fn give(&'static self, pool: &'static Pool, block: Object) -> bool {
        let Some(held) = pool.hold() else {
            return false;
        };
        let address = block.addr().get();
        let is_last = match self.heap.locate(address) {
            Home::Named {
                owner,
                is_start: true,
                ..
            } => self.give_object(pool, owner.class(), block),
            Home::Named { .. } => {
                report_violation(Violation::InteriorPointer, address, Context::Nowhere);
                false
            }
            _ => self.give_block(pool, block),
        };
        drop(held);
        if is_last && pool.is_closed() {
            self.retire_if_gone(pool);
        }
        true
    }

    /// Returns whether there may be nothing left of a pool that is closed.
    fn give_object(&self, pool: &Pool, id: ClassId, block: Object) -> bool {
        let (class, info, address) = (pool.class(id), info(id), block.addr().get());
        let Some(place) = pool.place_of(id) else {
            return false;
        };
        let size = info.size as usize;
        if pool.clears() {
            // SAFETY: the program gives the object up, which has as many bytes.
            unsafe { sys::clear(block, size) };
        }
        if class.push(block.as_ptr()) {
            return false;
        }
        let keep = match pool.is_closed() {
            true => Keep::None,
            false => Keep::One,
        };
        match class.give(place, id, address, keep) {
            Ok(()) => {
                pool.account.uncharge(size);
                !class.has_slabs()
            }
            Err(why) => {
                let why = match why {
                    BadFree::Twice => Violation::DoubleFree,
                    BadFree::NoObject => Violation::InvalidFree,
                };
                report_violation(why, address, Context::Nowhere);
                false
            }
        }
    }

    fn give_block(&self, pool: &Pool, block: Object) -> bool {
        let place = pool.place.load(Relaxed);
        match self.blocks.remove(&pool.blocks, place, block.addr().get()) {
            Some(bytes) => {
                if pool.clears() {
                    // SAFETY: as above.
                    unsafe { sys::clear(block, bytes) };
                }
                self.heap.give(block);
                pool.account.uncharge(bytes);
                true
            }
            None => {
                report_violation(Violation::DoubleFree, block.addr().get(), Context::Nowhere);
                false
            }
        }
    }
}
