//! The kernel's functions of a preloaded slubmalloc, found by name, and caches that all players use.
//!
//! # Invariant
//!
//! An object of a cache with a constructor holds [`CONSTRUCTED`] in every byte whenever it is free, and so when it is handed out.

use core::ffi::{CStr, c_int, c_void};
use core::ptr;

use crate::c_face::find;
use crate::interpreter::{Block, CACHES, CONSTRUCTED, Fault, Kernel, Origin, Source};
use crate::pool_face::PoolFace;

const KERNEL: usize = 0xcc0;
const NOWAIT: usize = 0x2800;
/// Objects in the reserve of the mempool.
const RESERVE: usize = 20;
/// The cache that the mempool is over.
const POOLED: u8 = 0;

type OneWord = extern "C" fn(usize) -> usize;
type TwoWords = extern "C" fn(usize, usize) -> usize;
type ThreeWords = extern "C" fn(usize, usize, usize) -> usize;
type Hook = extern "C" fn(*mut u8);

/// `struct slub_kmem_cache_args`.
#[repr(C)]
struct Args {
    size: usize,
    align: u32,
    capacity: u32,
    constructor: Option<Hook>,
    destructor: Option<Hook>,
    limit: usize,
}

/// The functions, and the caches.
#[derive(Clone, Copy)]
pub(crate) struct KernelFace {
    kmalloc: TwoWords,
    kzalloc: TwoWords,
    kfree: OneWord,
    vmalloc: OneWord,
    vfree: OneWord,
    get_free_pages: TwoWords,
    free_pages: TwoWords,
    alloc_pages_exact: TwoWords,
    free_pages_exact: TwoWords,
    alloc: TwoWords,
    zalloc: TwoWords,
    alloc_node: ThreeWords,
    free: TwoWords,
    alloc_bulk: extern "C" fn(usize, usize, usize, *mut usize) -> c_int,
    free_bulk: extern "C" fn(usize, usize, *const usize),
    prefill: ThreeWords,
    from_sheaf: ThreeWords,
    sheaf_size: extern "C" fn(usize) -> u32,
    return_sheaf: ThreeWords,
    pool_alloc: TwoWords,
    pool_free: TwoWords,
    pool_resize: extern "C" fn(usize, c_int) -> c_int,
    create: extern "C" fn(*const c_void, u32, *const Args, u32) -> usize,
    destroy: extern "C" fn(usize) -> c_int,
    shrink: extern "C" fn(usize) -> c_int,
    used: OneWord,
    rcu_begin: extern "C" fn() -> u64,
    rcu_end: extern "C" fn(u64) -> c_int,
    caches: [usize; CACHES.len()],
    pool: usize,
    /// None where the lists are to do without: their blocks are `kmalloc`'s then.
    pools: Option<PoolFace>,
    may_fail: bool,
}

macro_rules! found {
    ($name:literal) => {
        // SAFETY: the types above are those of slubmalloc.h, words for pointers and sizes. A function looks at fewer bits of a
        // word than it gets where it takes an int.
        unsafe { find($name) }
    };
}

impl KernelFace {
    /// The process's functions, with caches that are made now; `None` where they are missing.
    pub(crate) fn find(may_fail: bool, has_pools: bool) -> Option<Self> {
        let create_pool: Option<TwoWords> = found!(c"slub_mempool_create");
        let mut face = Self {
            kmalloc: found!(c"slub_kmalloc")?,
            kzalloc: found!(c"slub_kzalloc")?,
            kfree: found!(c"slub_kfree")?,
            vmalloc: found!(c"slub_vmalloc")?,
            vfree: found!(c"slub_vfree")?,
            get_free_pages: found!(c"slub___get_free_pages")?,
            free_pages: found!(c"slub_free_pages")?,
            alloc_pages_exact: found!(c"slub_alloc_pages_exact")?,
            free_pages_exact: found!(c"slub_free_pages_exact")?,
            alloc: found!(c"slub_kmem_cache_alloc")?,
            zalloc: found!(c"slub_kmem_cache_zalloc")?,
            alloc_node: found!(c"slub_kmem_cache_alloc_node")?,
            free: found!(c"slub_kmem_cache_free")?,
            alloc_bulk: found!(c"slub_kmem_cache_alloc_bulk")?,
            free_bulk: found!(c"slub_kmem_cache_free_bulk")?,
            prefill: found!(c"slub_kmem_cache_prefill_sheaf")?,
            from_sheaf: found!(c"slub_kmem_cache_alloc_from_sheaf")?,
            sheaf_size: found!(c"slub_kmem_cache_sheaf_size")?,
            return_sheaf: found!(c"slub_kmem_cache_return_sheaf")?,
            pool_alloc: found!(c"slub_mempool_alloc")?,
            pool_free: found!(c"slub_mempool_free")?,
            pool_resize: found!(c"slub_mempool_resize")?,
            create: found!(c"slub_kmem_cache_create_args")?,
            destroy: found!(c"slub_kmem_cache_destroy")?,
            shrink: found!(c"slub_kmem_cache_shrink")?,
            used: found!(c"slub_kmem_cache_used")?,
            rcu_begin: found!(c"slub_rcu_begin")?,
            rcu_end: found!(c"slub_rcu_end")?,
            caches: [0; CACHES.len()],
            pool: 0,
            pools: match has_pools {
                true => Some(PoolFace::find(may_fail)?),
                false => None,
            },
            may_fail,
        };
        for number in 0..CACHES.len() {
            face.caches[number] = face.created(c"fuzz", number as u8)?;
        }
        let pooled = face.caches[usize::from(POOLED)];
        face.pool = create_pool?(RESERVE, pooled);
        (face.pool != 0).then_some(face)
    }

    fn created(&self, name: &CStr, number: u8) -> Option<usize> {
        let kind = CACHES[usize::from(number)];
        let args = Args {
            size: size_of::<Args>(),
            align: kind.align as u32,
            capacity: 0,
            constructor: kind.constructs.then_some(construct_of(kind.bytes)),
            destructor: None,
            limit: kind.limit,
        };
        let cache = (self.create)(
            name.as_ptr().cast(),
            kind.bytes as u32,
            &raw const args,
            kind.flags,
        );
        (cache != 0).then_some(cache)
    }

    /// Objects of all caches and bytes of all pools that the program holds. What waited for a grace period is in use no more.
    pub(crate) fn held(&self) -> usize {
        (self.rcu_end)((self.rcu_begin)());
        // Merged ones share a number.
        let objects: usize = self.caches.iter().map(|cache| (self.used)(*cache)).sum();
        objects + self.pools.map_or(0, |pools| pools.held())
    }

    fn cache(&self, number: u8) -> usize {
        self.caches[usize::from(number) % CACHES.len()]
    }

    pub(crate) fn take(&self, kernel: Kernel, bytes: usize) -> Result<usize, Fault> {
        let start = match kernel {
            Kernel::Kmalloc => (self.kmalloc)(bytes, KERNEL),
            Kernel::Kzalloc => (self.kzalloc)(bytes, KERNEL),
            Kernel::Vmalloc => (self.vmalloc)(bytes),
            Kernel::Pages(_) => (self.get_free_pages)(KERNEL, order_of(bytes)),
            Kernel::PagesExact => (self.alloc_pages_exact)(bytes, KERNEL),
            Kernel::Pooled(pool) => match self.pools {
                Some(pools) => return pools.take(pool, bytes),
                None => (self.kmalloc)(bytes.max(1), KERNEL),
            },
            Kernel::Object { cache, source } => return self.take_object(cache, source, kernel),
        };
        if start == 0 && !self.may_fail {
            return Err("no memory for what the kernel would give");
        }
        Ok(start)
    }

    fn take_object(&self, number: u8, source: Source, kernel: Kernel) -> Result<usize, Fault> {
        let cache = self.cache(number);
        let start = match source {
            Source::Zeroed if !kernel.constructs() => (self.zalloc)(cache, KERNEL),
            Source::NoWait => (self.alloc)(cache, NOWAIT),
            Source::OnNode => (self.alloc_node)(cache, KERNEL, 0),
            Source::Sheaf => {
                const COUNT: usize = 5;
                let sheaf = (self.prefill)(cache, KERNEL, COUNT);
                if sheaf == 0 {
                    0
                } else {
                    let start = (self.from_sheaf)(cache, KERNEL, sheaf);
                    if start == 0 || (self.sheaf_size)(sheaf) as usize != COUNT - 1 {
                        return Err("a prefilled sheaf has not what it must");
                    }
                    (self.return_sheaf)(cache, KERNEL, sheaf);
                    start
                }
            }
            Source::Pool if number == POOLED => (self.pool_alloc)(self.pool, KERNEL),
            _ => (self.alloc)(cache, KERNEL),
        };
        let may_fail = self.may_fail
            || source == Source::NoWait
            || CACHES[usize::from(number) % CACHES.len()].limit > 0;
        if start == 0 {
            return if may_fail {
                Ok(0)
            } else {
                Err("a cache has no object")
            };
        }
        is_constructed(kernel, start)?;
        Ok(start)
    }

    pub(crate) fn take_many(&self, cache: u8, starts: &mut [usize]) -> Result<bool, Fault> {
        let all = starts.len();
        match (self.alloc_bulk)(self.cache(cache), KERNEL, all, starts.as_mut_ptr()) {
            0 if self.may_fail || CACHES[usize::from(cache) % CACHES.len()].limit > 0 => Ok(false),
            taken if usize::try_from(taken) == Ok(all) => {
                let kernel = Kernel::Object {
                    cache,
                    source: Source::Bulk,
                };
                let mut starts = starts.iter();
                starts.try_for_each(|start| is_constructed(kernel, *start))?;
                Ok(true)
            }
            _ => Err("a bulk is neither whole nor empty"),
        }
    }

    pub(crate) fn release_many(&self, cache: u8, blocks: &[Block]) {
        let starts: Vec<usize> = blocks.iter().map(|block| block.start).collect();
        blocks.iter().for_each(|block| self.prepare(*block));
        (self.free_bulk)(self.cache(cache), starts.len(), starts.as_ptr());
    }

    /// Writes to a block that is about to be freed, in whatever way, what its cache's constructor promises.
    pub(crate) fn prepare(&self, block: Block) {
        if let Origin::Kernel(kernel) = block.origin
            && kernel.constructs()
        {
            // SAFETY: the player holds the object, and reads it no more.
            unsafe {
                ptr::without_provenance_mut::<u8>(block.start).write_bytes(CONSTRUCTED, block.bytes)
            };
        }
    }

    /// Frees a block by the function that belongs to it.
    pub(crate) fn release(&self, block: Block) {
        let start = block.start;
        if let (Origin::Kernel(Kernel::Pooled(pool)), Some(pools)) = (block.origin, self.pools) {
            return pools.give(pool, start);
        }
        let _ = match block.origin {
            Origin::Kernel(Kernel::Vmalloc) => (self.vfree)(start),
            Origin::Kernel(Kernel::Pages(_)) => (self.free_pages)(start, order_of(block.bytes)),
            Origin::Kernel(Kernel::PagesExact) => (self.free_pages_exact)(start, block.bytes),
            Origin::Kernel(Kernel::Object {
                source: Source::Pool,
                cache: POOLED,
            }) => (self.pool_free)(start, self.pool),
            Origin::Kernel(Kernel::Object { cache, .. }) => (self.free)(self.cache(cache), start),
            _ => (self.kfree)(start),
        };
    }

    pub(crate) fn tend(&self, what: [u8; 2]) -> Result<(), Fault> {
        let [what, how] = what;
        match what {
            0..=63 => {
                if (self.shrink)(self.cache(how)) != 0 {
                    return Err("shrink's answer is wrong");
                }
            }
            64..=127 => {
                if (self.rcu_end)((self.rcu_begin)()) != 0 {
                    return Err("a grace period has no end");
                }
            }
            // Where memory is short, a reserve that has become smaller may not become what it was.
            128..=159 if !self.may_fail => {
                let resized = (self.pool_resize)(self.pool, c_int::from(how % 40) + 1);
                // Back to what the numbers between rounds count on.
                let restored = (self.pool_resize)(self.pool, RESERVE as c_int);
                if (resized, restored) != (0, 0) {
                    return Err("a mempool's size cannot be changed");
                }
            }
            160..=191 => return self.lives_shortly(how),
            192..=239 => return self.pools.map_or(Ok(()), |pools| pools.lives_shortly(how)),
            _ => drop((self.used)(self.cache(how))),
        }
        Ok(())
    }

    /// A cache that is created and destroyed, which refuses to go as long as an object is in use.
    fn lives_shortly(&self, how: u8) -> Result<(), Fault> {
        let number = how % CACHES.len() as u8;
        // Of those that are merged there is another one.
        if CACHES[usize::from(number)].flags & 0x200_0000 != 0 {
            return Ok(());
        }
        let Some(cache) = self.created(c"fuzz short", number) else {
            return if self.may_fail {
                Ok(())
            } else {
                Err("no cache")
            };
        };
        let mut starts = [0; 40];
        let count = usize::from(how) / 8 + 1;
        let taken = (self.alloc_bulk)(cache, KERNEL, count, starts.as_mut_ptr());
        if taken != 0 {
            (self.free_bulk)(cache, count, starts.as_ptr());
        } else if !self.may_fail {
            return Err("a new cache has no object");
        }
        if (self.used)(cache) != 0 || (self.destroy)(cache) != 0 {
            return Err("a cache cannot be destroyed that has no objects in use");
        }
        Ok(())
    }
}

fn order_of(bytes: usize) -> usize {
    (bytes >> 12).trailing_zeros() as usize
}

/// The constructor of objects of `BYTES` bytes.
extern "C" fn construct<const BYTES: usize>(object: *mut u8) {
    // SAFETY: a free object of a cache of that size.
    unsafe { object.write_bytes(CONSTRUCTED, BYTES) };
}

fn construct_of(bytes: usize) -> Hook {
    match bytes {
        64 => construct::<64>,
        _ => construct::<200>,
    }
}

fn is_constructed(kernel: Kernel, start: usize) -> Result<(), Fault> {
    let object = ptr::without_provenance::<u8>(start);
    let is_whole = |place: usize| {
        // SAFETY: inside of an object that was handed out.
        unsafe { object.wrapping_add(place).read() == CONSTRUCTED }
    };
    if kernel.constructs() && !(0..kernel.bytes(0)).all(is_whole) {
        return Err("an object is neither constructed nor as it was freed");
    }
    Ok(())
}
