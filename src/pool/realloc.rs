//! Blocks of a pool that change their size where they are.
#![forbid(unsafe_code)]

use super::Pools;
use super::structure::Pool;
use crate::heap::{Home, Resized, longest_growth};
use crate::slab::Object;
use crate::slab::class::info;
use crate::units::{BLOCK_SIZE, PAGE_SIZE};

impl Pools {
    /// Tries to give a block of a pool room for `bytes` without copying it; `None` where a signal handler must not wait.
    pub(crate) fn resize(
        &'static self,
        pool: &'static Pool,
        block: Object,
        bytes: usize,
    ) -> Option<Resized> {
        let _held = pool.hold()?;
        let address = block.addr().get();
        Some(match self.heap.locate(address) {
            Home::Named {
                owner,
                is_start: true,
                ..
            } => {
                let info = info(owner.class());
                let old_bytes = info.size as usize;
                match info.may_stay(bytes) {
                    true => {
                        pool.clear_rest(block, bytes, old_bytes);
                        Resized::At(block)
                    }
                    false => Resized::Copy { old_bytes },
                }
            }
            Home::Named { .. } => Resized::NoBlock,
            _ => match self.blocks.find(address) {
                Some((_, old_bytes)) => self.resize_block(pool, block, old_bytes, bytes),
                None => Resized::NoBlock,
            },
        })
    }

    fn resize_block(&self, pool: &Pool, block: Object, old_bytes: usize, bytes: usize) -> Resized {
        let copy = Resized::Copy { old_bytes };
        let Some(new_bytes) = bytes.checked_next_multiple_of(PAGE_SIZE) else {
            return copy;
        };
        if new_bytes == old_bytes {
            pool.clear_rest(block, bytes, old_bytes);
            return Resized::At(block);
        }
        // What is given up or comes is cleared where it is copied. A mapping that grows may become longer than was asked for.
        let longest = match new_bytes > old_bytes && new_bytes > BLOCK_SIZE {
            true => new_bytes.max(longest_growth(old_bytes)),
            false => new_bytes,
        };
        let more = longest.saturating_sub(old_bytes);
        if pool.clears() || more > 0 && pool.account.charge(more, more) == 0 {
            return copy;
        }
        let Some(number) = self.blocks.hide(block.addr().get()) else {
            pool.account.uncharge(more);
            return Resized::NoBlock;
        };
        match self.heap.resize(block, bytes) {
            Resized::At(new) => {
                let whole = self.heap.usable_size(new.addr().get()).unwrap_or(new_bytes);
                self.blocks.show(number, new, whole);
                match (old_bytes + more).checked_sub(whole) {
                    Some(rest) => pool.account.uncharge(rest),
                    None => pool.account.charge_anyway(whole - old_bytes - more),
                }
                Resized::At(new)
            }
            _ => {
                self.blocks.show(number, block, old_bytes);
                pool.account.uncharge(more);
                copy
            }
        }
    }
}
