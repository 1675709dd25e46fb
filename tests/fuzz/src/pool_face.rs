//! Pools of a preloaded slubmalloc: some that all players use, and others that live for a moment.
//!
//! # Invariant
//!
//! A block of a pool is known to be that by its address for as long as it lives, whatever resizes it.

use core::ffi::c_int;
use core::ptr;

use crate::c_face::find;
use crate::interpreter::{Fault, POOLS};

const FORCE: u32 = 1;
/// A limit that is counted and never met: `realloc` would fail there as well.
const LIMIT: usize = 1 << 44;

type TwoWords = extern "C" fn(usize, usize) -> usize;

/// `struct slub_pool_options`.
#[repr(C)]
struct Options {
    size: usize,
    name: *const u8,
    limit: usize,
    parent: usize,
    node: c_int,
    flags: u32,
}

/// The functions, and the pools.
#[derive(Clone, Copy)]
pub(crate) struct PoolFace {
    create: extern "C" fn(*const Options) -> usize,
    malloc: TwoWords,
    free: TwoWords,
    realloc: extern "C" fn(usize, usize, usize) -> usize,
    reset: extern "C" fn(usize, u32) -> c_int,
    destroy: extern "C" fn(usize, u32) -> c_int,
    release: extern "C" fn(usize) -> c_int,
    push: extern "C" fn(usize) -> c_int,
    pop: extern "C" fn(usize) -> c_int,
    of: extern "C" fn(usize) -> usize,
    used: extern "C" fn(usize) -> usize,
    pools: [usize; POOLS],
    may_fail: bool,
}

macro_rules! found {
    ($name:literal) => {
        // SAFETY: the types above are those of slubmalloc.h, words for pointers and sizes.
        unsafe { find($name) }
    };
}

impl PoolFace {
    /// The process's functions, with pools that are made now; `None` where they are missing.
    pub(crate) fn find(may_fail: bool) -> Option<Self> {
        let mut face = Self {
            create: found!(c"slub_pool_create")?,
            malloc: found!(c"slub_pool_malloc")?,
            free: found!(c"slub_pool_free")?,
            realloc: found!(c"slub_pool_realloc")?,
            reset: found!(c"slub_pool_reset")?,
            destroy: found!(c"slub_pool_destroy")?,
            release: found!(c"slub_pool_release")?,
            push: found!(c"slub_pool_push")?,
            pop: found!(c"slub_pool_pop")?,
            of: found!(c"slub_pool_of")?,
            used: found!(c"slub_pool_used")?,
            pools: [0; POOLS],
            may_fail,
        };
        // The second is below the first.
        face.pools[0] = face.created(0, 0, 0)?;
        face.pools[1] = face.created(LIMIT, face.pools[0], 0)?;
        face.pools[2] = face.created(0, 0, 0)?;
        Some(face)
    }

    fn created(&self, limit: usize, parent: usize, flags: u32) -> Option<usize> {
        let options = Options {
            size: size_of::<Options>(),
            name: c"fuzz".as_ptr().cast(),
            limit,
            parent,
            node: -1,
            flags,
        };
        let pool = (self.create)(&raw const options);
        (pool != 0).then_some(pool)
    }

    /// Bytes of the pools that the program holds. Of those without any the slabs go.
    pub(crate) fn held(&self) -> usize {
        // Those below others first, so that these see nothing of theirs.
        let used = [1, 0, 2].map(|number| {
            let used = (self.used)(self.pools[number]);
            if used == 0 {
                (self.reset)(self.pools[number], 0);
            }
            used
        });
        used.iter().sum()
    }

    pub(crate) fn take(&self, number: u8, bytes: usize) -> Result<usize, Fault> {
        let number = usize::from(number) % POOLS;
        let start = (self.malloc)(self.pools[number], bytes);
        match start {
            0 if self.may_fail => Ok(0),
            0 => Err("a pool has no memory"),
            _ if (self.of)(start) != self.pools[number] => Err("a block is of another pool"),
            _ => Ok(start),
        }
    }

    pub(crate) fn give(&self, number: u8, start: usize) {
        (self.free)(self.pools[usize::from(number) % POOLS], start);
    }

    /// A pool that is created, used and ended in one of all ways.
    pub(crate) fn lives_shortly(&self, how: u8) -> Result<(), Fault> {
        let parent = [0, self.pools[2]][usize::from(how & 1)];
        let Some(pool) = self.created(0, parent, u32::from(how >> 1 & 1)) else {
            return if self.may_fail {
                Ok(())
            } else {
                Err("no pool")
            };
        };
        let is_pushed = how & 4 != 0 && (self.push)(pool) == 0;
        let mut blocks = [0; 24];
        for (place, block) in blocks.iter_mut().enumerate() {
            let bytes = 8 << (place / 2) | usize::from(how);
            *block = match is_pushed {
                // SAFETY: any size may be asked for.
                true => unsafe { libc::malloc(bytes) }.addr(),
                false => (self.malloc)(pool, bytes),
            };
            if *block != 0 && (self.of)(*block) != pool {
                return Err("a block is not of the pool that it was taken from");
            }
            if *block == 0 && !self.may_fail {
                return Err("a new pool has no memory");
            }
        }
        if let Some(first) = blocks.first_mut() {
            let moved = (self.realloc)(pool, *first, 5_000);
            *first = if moved == 0 { *first } else { moved };
        }
        if is_pushed && (self.pop)(pool) != 0 {
            return Err("a push cannot be popped");
        }
        for block in blocks.iter_mut().step_by(2) {
            (self.free)(pool, core::mem::take(block));
        }
        let flags = u32::from(is_pushed) * FORCE;
        let ended = match how >> 3 & 3 {
            0 => (self.destroy)(pool, flags),
            1 => match (self.reset)(pool, flags) {
                0 if (self.used)(pool) == 0 => (self.destroy)(pool, flags),
                _ => -1,
            },
            _ => {
                let released = (self.release)(pool);
                for block in blocks {
                    // SAFETY: a block of the process's malloc, which nobody else has.
                    unsafe { libc::free(ptr::with_exposed_provenance_mut(block)) };
                }
                released
            }
        };
        if ended != 0 {
            return Err("a pool cannot be ended");
        }
        Ok(())
    }
}
