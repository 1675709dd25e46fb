//! The pools as the rest of the process sees them: which one a handle is, whose a block is, and what becomes of one that `free` or
//! `realloc` gets.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::birth::inside_alive;
use super::process::{PROCESS, with_modes};
use super::relief;
use super::threads::{inside, own};
use crate::heap::Resized;
use crate::pool::{self, Pool, PoolHandle, Pools, Reach, Refused, Stays};
use crate::slab::{Object, Request, class};
use crate::sys::usdt;
use crate::units::{MIN_ALIGN, Zeroed};

/// Where the structures of pools are.
pub(super) static REACH: Reach = Reach::new();

/// The pools, once there was one.
#[inline(always)]
pub(super) fn known() -> Option<&'static Pools> {
    PROCESS.get()?.pools.get()
}

/// A block of the pool with a handle. Where there is no memory, direct shrinkers make room first.
#[inline(never)]
pub(super) fn take_from(
    pools: &'static Pools,
    (pool, handle): (&'static Pool, PoolHandle),
    request: &Request,
) -> Result<Object, Refused> {
    let mut passes = 0;
    loop {
        let block = inside_alive(|| pools.take(pool, handle, request));
        // What meets a limit of its own is nobody else's reason to give memory up.
        let is_short = block == Err(Refused::NoMemory);
        if !(is_short && relief::relieve(request.bytes(), &mut passes)) {
            if block == Err(Refused::Limit) {
                usdt::limit(request.bytes(), pool.limit());
            }
            return block.inspect(|block| clear_rest(*block));
        }
    }
}

/// What a mode asks for when a block is handed out. Apart, so that the way to memory has no room for this on its stack.
#[inline(never)]
fn clear_rest(block: Object) {
    if let Some(process) = with_modes() {
        process.modes.clearing().gain(&process.heap, block, 0);
    }
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
    let pool = inside_alive(|| pools.owner_of(block.addr().get()))?;
    let living = Pools::living(pool).filter(|living| core::ptr::eq(*living, pool))?;
    let request = Request::new(bytes, MIN_ALIGN, Zeroed::No)?;
    match take_from(pools, (living, living.handle()), &request) {
        Ok(taken) => Some(taken.as_ptr()),
        // It has ended meanwhile.
        Err(Refused::Stays(Stays::Gone)) => None,
        Err(_) => Some(core::ptr::null_mut()),
    }
}

/// The fast path of an allocation: the pool, which is for one thread, has an object at hand.
#[inline(always)]
pub fn pool_alloc_fast(pool: PoolHandle, size: usize) -> Option<NonNull<u8>> {
    if size > class::FINE_LIMIT {
        return None;
    }
    REACH.near(pool)?.take_single(pool, class::class_of(size))
}

/// The same for pools of several threads, and for all objects of slabs.
#[inline]
pub fn pool_alloc_ready(pool: PoolHandle, size: usize) -> Option<NonNull<u8>> {
    if size > class::MAX_SMALL {
        return None;
    }
    let near = REACH.near(pool).filter(|near| near.handle() == pool)?;
    near.take_ready(pool, class::class_of(size))
}

/// The fast path of a free: `block` is one of the objects that the pool, which is for one thread, had at hand last.
#[inline(always)]
pub fn pool_free_fast(pool: PoolHandle, block: *mut u8) -> bool {
    match REACH.near(pool) {
        Some(near) => near.give_single(pool, block),
        None => false,
    }
}

/// The same for pools of several threads, and for all objects of slabs.
#[inline]
pub fn pool_free_ready(pool: PoolHandle, block: *mut u8) -> bool {
    match REACH.near(pool).filter(|near| near.handle() == pool) {
        Some(near) => near.give_ready(pool, block),
        None => false,
    }
}

/// The pool with a handle; none if there is no such pool, which is reported.
pub(super) fn find(handle: PoolHandle) -> Option<(&'static Pools, &'static Pool)> {
    let pools = known();
    let pool = pools.and_then(|pools| Some((pools, pools.find(handle)?)));
    if pool.is_none() {
        match pools.is_some_and(|pools| pools.is_handle(handle)) {
            true => pool::gone(handle),
            false => pool::unknown(handle),
        }
    }
    pool
}
