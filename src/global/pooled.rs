//! The pools as the rest of the process sees them: whose a block is, and what becomes of one that `free` or `realloc` gets.
#![forbid(unsafe_code)]

use super::birth::inside_alive;
use super::process::PROCESS;
use super::threads::{inside, own};
use crate::heap::Resized;
use crate::pool::{Pool, Pools, Reach};
use crate::slab::{Object, Request};
use crate::units::{MIN_ALIGN, Zeroed};

/// Where the structures of pools are.
pub(super) static REACH: Reach = Reach::new();

/// The pools, once there was one.
#[inline(always)]
pub(super) fn known() -> Option<&'static Pools> {
    PROCESS.get()?.pools.get()
}

/// Takes back a block that somebody frees; `false` if it is none of a pool's.
pub(super) fn give(block: Object) -> bool {
    let Some(pools) = known() else {
        return false;
    };
    let Some(pool) = inside_alive(|| pools.owner_of(block.addr().get())) else {
        return false;
    };
    give_to(pools, pool, block);
    true
}

/// Takes a block of a pool back.
pub(super) fn give_to(pools: &'static Pools, pool: &'static Pool, block: Object) {
    let is_given = inside_alive(|| pools.give(pool, block));
    if !is_given && let Some(own) = own() {
        own.defer(block);
    }
}

/// The bytes of the block at `address`, if it is one of a pool.
pub(super) fn usable_size(address: usize) -> Option<usize> {
    let pools = known()?;
    inside(|| {
        let _pool = pools.owner_of(address)?;
        Some(pools.usable_size(address))
    })
}

/// Tries to resize a block where it is; `None` if it is none of a pool's.
pub(super) fn resize(block: Object, bytes: usize) -> Option<Resized> {
    let pools = known()?;
    inside_alive(|| {
        let pool = pools.owner_of(block.addr().get())?;
        let resized = pools.resize(pool, block, bytes);
        Some(resized.unwrap_or(Resized::Copy { old_bytes: 0 }))
    })
}

/// A block of the same pool as another one; `None` if that is closed, so that any block will do.
pub(super) fn take_beside(block: Object, bytes: usize) -> Option<*mut u8> {
    let pools = known()?;
    inside_alive(|| {
        let pool = pools.owner_of(block.addr().get())?;
        let living = Pools::living(pool).filter(|living| core::ptr::eq(*living, pool))?;
        let request = Request::new(bytes, MIN_ALIGN, Zeroed::No);
        let taken = request.and_then(|request| pools.take(living, &request));
        Some(taken.map_or(core::ptr::null_mut(), |it| it.as_ptr()))
    })
}
