//! The pools of the process.
#![forbid(unsafe_code)]

use core::ptr::NonNull;

use super::birth::{alive, inside_alive};
use super::malloc::tick_own;
use super::naming::name_objects;
use super::pooled::{REACH, find, give_to, known, take_from};
use super::process::{is_interrupted, process};
use super::purge_thread::Trigger;
use super::threads::own;
use super::uncached::{home, refused};
use crate::kmem::KmemError;
use crate::pool::{self, Pool, PoolHandle, PoolOptions, Pools, Refused, Stays};
use crate::report;
use crate::slab::Request;
use crate::units::{NodeId, Zeroed};

/// Creates a pool; see `slub_pool_create` in slubmalloc.h. `name` is that of the options.
///
/// # Errors
///
/// [`KmemError::Invalid`] for a parent that is no pool, which is reported, for a node that threads take no memory from, and for unknown flags.
pub fn pool_create(name: &[u8], options: PoolOptions) -> Result<PoolHandle, KmemError> {
    if is_interrupted() {
        return Err(KmemError::NoMemory);
    }
    let process = process().ok_or(KmemError::NoMemory)?;
    if options.flags & !pool::KNOWN_FLAGS != 0 || options.node < -1 {
        return Err(KmemError::Invalid);
    }
    let parent = match options.parent.is_null() {
        true => None,
        false => Some((
            find(options.parent).ok_or(KmemError::Invalid)?.1,
            options.parent,
        )),
    };
    let limit = match options.limit {
        0 => usize::MAX,
        limit => limit,
    };
    let clears = match process.modes.clearing().any() {
        true => pool::CLEARS,
        false => 0,
    };
    inside_alive(|| {
        let node = match options.node {
            -1 => alive().map_or_else(|| home(process), |(_, binding)| binding.home),
            node => {
                let node = u8::try_from(node).map_err(|_| KmemError::Invalid)?;
                process.heap.node(NodeId(node)).ok_or(KmemError::Invalid)?
            }
        };
        let pools = process.pools.get_or_try_make(|| Pools::new(&process.heap));
        let pools = pools.ok_or(KmemError::NoMemory)?;
        name_objects();
        let pool = pools.create(name, node, limit, parent, options.flags | clears);
        REACH.note(pools);
        pool.map(Pool::handle)
            .map_err(|why| stays(why, options.parent))
    })
}

/// Allocates `size` bytes of a pool at a multiple of `align`, a power of two.
///
/// # Errors
///
/// [`KmemError::NoMemory`] at a limit, where there is no memory, and in a signal handler that must not wait;
/// [`KmemError::Invalid`] for what is no pool, which is reported.
#[inline(never)]
pub fn pool_alloc(
    pool: PoolHandle,
    size: usize,
    align: usize,
    is_zeroed: bool,
) -> Result<NonNull<u8>, KmemError> {
    if report::is_ending() || is_interrupted() {
        return Err(KmemError::NoMemory);
    }
    let (pools, found) = find(pool).ok_or(KmemError::Invalid)?;
    let zeroed = if is_zeroed { Zeroed::Yes } else { Zeroed::No };
    let request = Request::new(size, align, zeroed).ok_or(KmemError::NoMemory)?;
    let block = take_from(pools, (found, pool), &request);
    tick_own(Trigger::Malloc);
    block.map_err(|why| match why {
        Refused::Stays(why) => stays(why, pool),
        Refused::Limit => KmemError::NoMemory,
        Refused::NoMemory => {
            refused(size);
            KmemError::NoMemory
        }
    })
}

/// What a free does where [`super::pool_free_ready`] gives up; null is ignored. A block of another pool, or of none, is reported.
#[inline(never)]
pub fn pool_free(pool: PoolHandle, block: *mut u8) {
    let Some(block) = NonNull::new(block).filter(|_| !report::is_ending()) else {
        return;
    };
    if is_interrupted() {
        return own().map_or((), |own| own.defer(block));
    }
    let Some((pools, pool)) = find(pool) else {
        return;
    };
    let address = block.addr().get();
    let from = inside_alive(|| pools.owner_of(address));
    let living = from.and_then(Pools::living);
    match from {
        Some(from) if living.is_some_and(|living| core::ptr::eq(living, pool)) => {
            give_to(pools, from, block);
        }
        _ => pool::not_its_block(address, living, pool),
    }
    tick_own(Trigger::Free);
}

/// Whether a block may be resized as one of a pool: it is, or that is reported.
pub fn pool_has(pool: PoolHandle, block: *const u8) -> Result<(), KmemError> {
    if report::is_ending() || is_interrupted() {
        return Err(KmemError::NoMemory);
    }
    let (pools, pool) = find(pool).ok_or(KmemError::Invalid)?;
    let from = inside_alive(|| pools.owner_of(block.addr())).and_then(Pools::living);
    if from.is_some_and(|from| core::ptr::eq(from, pool)) {
        return Ok(());
    }
    pool::not_its_block(block.addr(), from, pool);
    Err(KmemError::Invalid)
}

/// Gives all blocks of a pool back, which nobody uses any more.
///
/// # Errors
///
/// [`KmemError::InUse`] for a pool that was ever pushed, without `SLUB_POOL_FORCE`, and in a signal handler that must not wait;
/// [`KmemError::Invalid`] for unknown flags, and for what is no pool, which is reported.
pub fn pool_reset(pool: PoolHandle, flags: u32) -> Result<(), KmemError> {
    end(pool, flags, Pools::reset)
}

/// The same, and ends the pool.
///
/// # Errors
///
/// As for [`pool_reset`].
pub fn pool_destroy(pool: PoolHandle, flags: u32) -> Result<(), KmemError> {
    end(pool, flags, Pools::destroy)
}

/// Ends a pool whose blocks stay until they are freed.
///
/// # Errors
///
/// [`KmemError::Invalid`] for what is no pool, which is reported.
pub fn pool_release(pool: PoolHandle) -> Result<(), KmemError> {
    // What the C library may have there stays.
    end(pool, pool::FORCE, Pools::release)
}

fn end(
    pool: PoolHandle,
    flags: u32,
    run: impl FnOnce(&'static Pools, &'static Pool, PoolHandle) -> Result<(), Stays>,
) -> Result<(), KmemError> {
    if flags & !pool::FORCE != 0 {
        return Err(KmemError::Invalid);
    }
    if is_interrupted() {
        return Err(KmemError::InUse);
    }
    let handle = pool;
    let (pools, pool) = find(handle).ok_or(KmemError::Invalid)?;
    if pool.was_pushed() && flags & pool::FORCE == 0 {
        return Err(KmemError::InUse);
    }
    let done = inside_alive(|| run(pools, pool, handle));
    done.map_err(|why| match why {
        Stays::Busy => KmemError::InUse,
        gone => stays(gone, handle),
    })
}

/// The error where a pool is not to be used, which is reported if it has gone.
fn stays(why: Stays, pool: PoolHandle) -> KmemError {
    match why {
        Stays::Busy => KmemError::NoMemory,
        Stays::Gone => {
            pool::gone(pool);
            KmemError::Invalid
        }
    }
}

/// The pool that the block at an address belongs to, or is charged to since its own was released.
pub fn pool_of(block: *const u8) -> Option<PoolHandle> {
    let pools = known().filter(|_| !is_interrupted())?;
    let pool = inside_alive(|| pools.owner_of(block.addr()))?;
    Pools::living(pool).map(Pool::handle)
}

/// Bytes that the blocks of a pool and of those below it have.
pub fn pool_used(pool: PoolHandle) -> usize {
    find(pool).map_or(0, |(pools, pool)| inside_alive(|| pools.used(pool)))
}

/// Has a pool and those below it use at most `limit` bytes, 0 for no limit.
///
/// # Errors
///
/// [`KmemError::Invalid`] for what is no pool, which is reported.
pub fn pool_set_limit(pool: PoolHandle, limit: usize) -> Result<(), KmemError> {
    let (pools, found) = find(pool).ok_or(KmemError::Invalid)?;
    let limit = match limit {
        0 => usize::MAX,
        limit => limit,
    };
    inside_alive(|| pools.set_limit(found, pool, limit)).map_err(|why| stays(why, pool))
}
