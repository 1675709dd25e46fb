/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * slubmalloc: what the C library's <stdlib.h> and <malloc.h> may not declare yet.
 *
 * No program needs this header to use slubmalloc. Linking the library, or starting a program under
 * LD_PRELOAD, replaces
 *
 *     malloc calloc realloc reallocarray free
 *     aligned_alloc posix_memalign memalign valloc pvalloc
 *     malloc_usable_size malloc_trim mallopt mallinfo mallinfo2 malloc_stats malloc_info
 *     C++ operator new, new[], delete, delete[], every replaceable form
 *
 * for the whole process, its shared libraries included. Those functions keep the prototypes of the C
 * library's own headers; this one declares only additions. To link:
 *
 *     cc program.c $(pkg-config --cflags --libs slubmalloc)                     shared
 *     cc -static program.c $(pkg-config --static --cflags --libs slubmalloc)    static
 *
 * Without pkg-config, a static library needs `-Wl,-u,malloc` in front of it: a linker takes from an archive
 * only what has been asked for already, so in a program whose only allocations happen inside the C
 * library (strdup, fopen) nothing would be taken and the C library's own malloc would stay. A shared
 * library needs `-Wl,--no-as-needed` in the same case.
 */
#ifndef SLUBMALLOC_H
#define SLUBMALLOC_H

#include <stddef.h>

/* The version this header belongs to: as numbers, and as one that compares. */
#define SLUBMALLOC_VERSION_MAJOR 0
#define SLUBMALLOC_VERSION_MINOR 1
#define SLUBMALLOC_VERSION_PATCH 0
#define SLUBMALLOC_VERSION                                                  \
    (SLUBMALLOC_VERSION_MAJOR * 10000 + SLUBMALLOC_VERSION_MINOR * 100 +    \
     SLUBMALLOC_VERSION_PATCH)

/* A C library that declares these functions too must see the same exception specification. */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define SLUBMALLOC_NOTHROW noexcept(true)
#elif defined(__cplusplus)
#define SLUBMALLOC_NOTHROW throw()
#else
#define SLUBMALLOC_NOTHROW
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * slubmalloc_version(): the version of the library that serves this process, in the form of
 * SLUBMALLOC_VERSION. The header's version is that of the library the program was compiled for:
 *
 *     if (slubmalloc_version() < SLUBMALLOC_VERSION) ...      an older library was loaded
 *
 * A program that may also run without slubmalloc looks it up: dlsym(RTLD_DEFAULT, "slubmalloc_version")
 * is null then.
 */
int slubmalloc_version(void) SLUBMALLOC_NOTHROW;

/*
 * slubmalloc_stats_json(write, context): the numbers of malloc_stats(3) as one JSON object, in bytes, pieces of which are given
 * to write(context, text, length) one after the other. `write` may allocate. The members:
 *
 *     version        of the library, as text
 *     in_use, arenas, cached, free_with_memory, huge_blocks, huge, huge_kept, lost, tables, threads
 *     limit          null or {"bytes", "source"}; refused_by_limit and refused_by_system are beside it
 *     classes        [{"size", "in_use", "cached", "total", "slabs", "held"}], those that have slabs, by size
 *     caches         the same of the named caches, each with its "name"
 *     pools          [{"name", "used", "limit"}], a limit being null or a number
 *     nodes          [{"node", "free_blocks", "unusable"}], by order; `unusable` is in thousandths
 *     numastat       [{"node", "numa_hit", ...}], in pages, on machines with several nodes
 *
 * Later versions may add members.
 */
void slubmalloc_stats_json(void (*write)(void *context, const char *text, size_t length), void *context)
    SLUBMALLOC_NOTHROW;

/*
 * free_sized(ptr, size): free(ptr), for memory from malloc, calloc or realloc that was asked for with
 * exactly `size` bytes. (C23, 7.24.3.4)
 *
 * A null `ptr` does nothing. Any other `size`, or memory from aligned_alloc, is undefined.
 */
void free_sized(void *ptr, size_t size) SLUBMALLOC_NOTHROW;

/*
 * free_aligned_sized(ptr, alignment, size): free(ptr), for memory from aligned_alloc(alignment, size)
 * with exactly these two arguments. (C23, 7.24.3.5)
 *
 * A null `ptr` does nothing.
 */
void free_aligned_sized(void *ptr, size_t alignment, size_t size) SLUBMALLOC_NOTHROW;

/*
 * slubmalloc_alloc_onnode(size, node): like malloc(size), from memory of NUMA node `node`, or of the
 * nearest to it that has any. To be freed with free().
 *
 * Null with errno EINVAL if threads of this process take no memory from such a node: the machine has
 * none with that number, a cpuset or numactl forbids it, or SLUBMALLOC_CONF leaves it out. Null with
 * ENOMEM if there is no memory.
 */
void *slubmalloc_alloc_onnode(size_t size, int node) SLUBMALLOC_NOTHROW;

/*
 * slubmalloc_node_of(ptr): the number of the NUMA node that the memory at `ptr` is on; -1 if it is no
 * memory of this heap. Of a huge or interleaved block only the kernel knows, page by page, and only of
 * pages that were written to: what was not is on no node yet, and the answer means nothing.
 */
int slubmalloc_node_of(const void *ptr) SLUBMALLOC_NOTHROW;

/*
 * Named caches: the kernel's kmem_cache_… functions.
 *
 * A cache has objects of one size in slabs of its own, with its own accounting. Each thread has a few free objects of each
 * cache that it uses at hand, so that allocating and freeing take no lock. The functions may be called from any thread; none of
 * them from a signal handler. Objects can also be freed with free(), and realloc() and malloc_usable_size() know them, where
 * this library's malloc is the process's.
 *
 * What is wrong with a call is reported in one line on standard error, as every misuse is.
 */
struct slub_kmem_cache;

/* How an allocation may get its memory. The values are those of Linux. */
typedef unsigned int slub_gfp_t;

/* Bits. */
#define SLUB___GFP_DMA            0x01u     /* refused: EINVAL */
#define SLUB___GFP_HIGHMEM        0x02u     /* no effect */
#define SLUB___GFP_DMA32          0x04u     /* refused: EINVAL */
#define SLUB___GFP_MOVABLE        0x08u     /* no effect */
#define SLUB___GFP_RECLAIMABLE    0x10u     /* no effect */
#define SLUB___GFP_HIGH           0x20u     /* no effect */
#define SLUB___GFP_IO             0x40u     /* no effect */
#define SLUB___GFP_FS             0x80u     /* no effect */
#define SLUB___GFP_ZERO           0x100u    /* the memory reads as zero */
#define SLUB___GFP_DIRECT_RECLAIM 0x400u    /* locks may be waited for, and the system asked for memory */
#define SLUB___GFP_KSWAPD_RECLAIM 0x800u    /* no effect */
#define SLUB___GFP_NOWARN         0x2000u   /* no effect: a failure is not reported anyway */
#define SLUB___GFP_RETRY_MAYFAIL  0x4000u   /* no effect */
#define SLUB___GFP_NOFAIL         0x8000u   /* passes the limits of the cache and the process; if the system has no memory the process ends with a line */
#define SLUB___GFP_NORETRY        0x10000u  /* at a cache's limit, what other threads have at hand is left to them */
#define SLUB___GFP_MEMALLOC       0x20000u  /* no effect */
#define SLUB___GFP_COMP           0x40000u  /* no effect */
#define SLUB___GFP_HARDWALL       0x100000u /* no effect */
#define SLUB___GFP_THISNODE       0x200000u /* no other NUMA node's memory; above 4 MiB, none where a freed mapping of another is kept */
#define SLUB___GFP_ACCOUNT        0x400000u /* no effect: everything is accounted */
#define SLUB___GFP_RECLAIM        (SLUB___GFP_DIRECT_RECLAIM | SLUB___GFP_KSWAPD_RECLAIM)

/* What is meant to be passed. */
#define SLUB_GFP_KERNEL         (SLUB___GFP_RECLAIM | SLUB___GFP_IO | SLUB___GFP_FS)
/* Neither waits for a lock nor asks the system for memory: may fail although there is some. */
#define SLUB_GFP_ATOMIC         (SLUB___GFP_HIGH | SLUB___GFP_KSWAPD_RECLAIM)
#define SLUB_GFP_NOWAIT         (SLUB___GFP_KSWAPD_RECLAIM | SLUB___GFP_NOWARN)
#define SLUB_GFP_KERNEL_ACCOUNT (SLUB_GFP_KERNEL | SLUB___GFP_ACCOUNT)
#define SLUB_GFP_NOIO           SLUB___GFP_RECLAIM
#define SLUB_GFP_NOFS           (SLUB___GFP_RECLAIM | SLUB___GFP_IO)
#define SLUB_GFP_USER           (SLUB_GFP_KERNEL | SLUB___GFP_HARDWALL)
#define SLUB_GFP_HIGHUSER       (SLUB_GFP_USER | SLUB___GFP_HIGHMEM)
#define SLUB_GFP_DMA            SLUB___GFP_DMA
#define SLUB_GFP_DMA32          SLUB___GFP_DMA32

/* Flags of a cache. */
#define SLUB_HWCACHE_ALIGN 0x2000u     /* objects lie in cache lines of 64 bytes, several small ones in one */
#define SLUB_TYPESAFE_BY_RCU 0x80000u /* memory goes only after a grace period: see slub_rcu_begin() */
#define SLUB_PANIC         0x40000u    /* if there is no cache the process ends with a line */
/*
 * Checks of one cache's objects, each of which then goes straight to its slab and costs a lock. What is wrong is reported in one line,
 * and ends the process unless SLUBMALLOC_CONF has crime:warn.
 */
#define SLUB_CONSISTENCY_CHECKS 0x100u /* a second free is seen at once */
#define SLUB_RED_ZONE    0x400u    /* bytes after each object, at least 16, that are looked at when it is freed and allocated */
#define SLUB_POISON      0x800u    /* free objects are filled and looked at when they are allocated; not with a constructor or TYPESAFE_BY_RCU */
#define SLUB_STORE_USER  0x10000u  /* keeps the stack that allocated each object, for reports of it; 128 bytes each */
/*
 * The cache may be one with another that has this flag and objects of a size that fits: both share slabs, counters and the first one's
 * name, and it is destroyed when all of them are. Without effect beside a constructor, a destructor, a limit, a sheaf_capacity, checks,
 * SLUB_TYPESAFE_BY_RCU or SLUB_NO_MERGE.
 */
#define SLUB_MERGE         0x2000000u
#define SLUB_NO_MERGE      0x1000000u  /* as without SLUB_MERGE, also beside it */
#define SLUB_ACCOUNT       0x4000000u  /* no effect: everything is accounted */

/*
 * slub_kmem_cache_create(name, size, align, flags, ctor): a cache of objects of `size` bytes, 1 to 49152; less where SLUB_RED_ZONE adds
 * its bytes to each object or a large `align` fills it up.
 *
 * The name, 1 to 255 bytes, is copied. Addresses of objects are multiples of `align`, a power of two, and of 16 in any case; 0
 * asks for no more. `ctor`, which may be null, is called with the address of each object before it is first handed out, and
 * again after its memory was given back to the system meanwhile: an object of such a cache that is freed keeps its contents until it is
 * allocated again, and nothing is written to it, but by SLUB_POISON. `ctor` is called with no lock held, by the thread that allocates, for a few
 * objects at a time; it may allocate, but not from its own cache.
 *
 * Null with errno EINVAL, and a line that says why, if an argument is out of its range or a flag is unknown. Null with ENOMEM if
 * there is no memory, or if there are 65535 caches and mempools: both take numbers from one set, and a cache with SLUB_TYPESAFE_BY_RCU that was
 * destroyed keeps its number until a grace period has passed.
 */
struct slub_kmem_cache *slub_kmem_cache_create(const char *name, unsigned int size, unsigned int align,
                                               unsigned int flags, void (*ctor)(void *)) SLUBMALLOC_NOTHROW;

/* What else may be said of a cache. Zero is the default of each but the first. */
struct slub_kmem_cache_args {
    /* sizeof(struct slub_kmem_cache_args), which tells later versions how much of it there is. */
    size_t size;
    /* As above. */
    unsigned int align;
    /*
     * Objects of a full sheaf, 1 to 1022; by default by their size, 238 at most. A thread has two sheaves at hand before it exchanges one
     * for a cache's: with 1, 3 free objects may be kept.
     */
    unsigned int sheaf_capacity;
    /* As above. */
    void (*ctor)(void *);
    /*
     * Called with the address of each object that `ctor` was called for, before its memory goes: in slub_kmem_cache_destroy and
     * slub_kmem_cache_shrink, when an object is freed, and in slub_rcu_end, also of a cache that was destroyed before. With no lock
     * held; it may allocate and free, but not from or to its own cache, nor destroy that. Without `ctor` it is refused.
     */
    void (*dtor)(void *);
    /* See slub_kmem_cache_set_limit(); 0 is none. */
    size_t limit;
};

/*
 * slub_kmem_cache_create_args(name, size, args, flags): as slub_kmem_cache_create(). A null `args` is all defaults. Null with
 * errno EINVAL also if args->size ends inside of a field, or beyond the last one that this version knows and what is there is not zero.
 */
struct slub_kmem_cache *slub_kmem_cache_create_args(const char *name, unsigned int size,
                                                    const struct slub_kmem_cache_args *args,
                                                    unsigned int flags) SLUBMALLOC_NOTHROW;

/*
 * slub_kmem_cache_destroy(cache): gives all memory of a cache back, which no thread uses any more; 0. Null is ignored.
 *
 * If objects of it are in use, -1 with errno EBUSY: a line tells how many and the first addresses, and the cache and its objects
 * stay as they are. Objects in the reserves of mempools are in use; a mempool itself is no cache, which is reported: -1 with EINVAL. Using a destroyed cache
 * is reported, until another cache is created that may get its handle; to destroy it once more also gives -1, with EINVAL, where the
 * process goes on (`crime:warn`).
 */
int slub_kmem_cache_destroy(struct slub_kmem_cache *cache) SLUBMALLOC_NOTHROW;

/*
 * slub_kmem_cache_alloc(cache, flags): an object, with undefined contents or as its constructor or last owner left it.
 *
 * Null with errno ENOMEM if there is no memory, if the cache's limit is reached, or if `flags` forbid what would be needed. Null
 * with EINVAL for flags that are unknown, that ask for memory which a process does not have (GFP_DMA, GFP_DMA32), for
 * __GFP_NOFAIL without __GFP_DIRECT_RECLAIM, and for __GFP_ZERO of a cache with a constructor.
 */
void *slub_kmem_cache_alloc(struct slub_kmem_cache *cache, slub_gfp_t flags) SLUBMALLOC_NOTHROW;

/* The same with __GFP_ZERO. */
void *slub_kmem_cache_zalloc(struct slub_kmem_cache *cache, slub_gfp_t flags) SLUBMALLOC_NOTHROW;

/*
 * The same from memory of NUMA node `node`, or near it without __GFP_THISNODE; -1 is the caller's. Null with EINVAL also for a
 * node that threads of this process take no memory from.
 */
void *slub_kmem_cache_alloc_node(struct slub_kmem_cache *cache, slub_gfp_t flags, int node) SLUBMALLOC_NOTHROW;

/*
 * slub_kmem_cache_free(cache, object): frees an object of this cache; null is ignored. errno stays. An object of another cache, or
 * of none, is reported. Without a constructor in the cache the contents are undefined from now on.
 */
void slub_kmem_cache_free(struct slub_kmem_cache *cache, void *object) SLUBMALLOC_NOTHROW;

/*
 * slub_kmem_cache_alloc_bulk(cache, flags, count, objects): `count` objects, at most INT_MAX; returns `count`. If there are not
 * as many, none: 0 with errno as above, and what `objects` holds is undefined.
 */
int slub_kmem_cache_alloc_bulk(struct slub_kmem_cache *cache, slub_gfp_t flags, size_t count,
                               void **objects) SLUBMALLOC_NOTHROW;

/* Frees `count` objects of this cache. */
void slub_kmem_cache_free_bulk(struct slub_kmem_cache *cache, size_t count, void **objects) SLUBMALLOC_NOTHROW;

/*
 * Prefilled sheaves, as in Linux 6.18: objects that are taken before a part of the program that must not fail.
 *
 * slub_kmem_cache_prefill_sheaf(cache, flags, count): a sheaf with `count` objects, 1 to 65535. They count as in use, also for the
 * cache's limit and in slub_kmem_cache_destroy(), which refuses while even an empty sheaf is out. A sheaf is for one thread at a
 * time. Null with errno as of slub_kmem_cache_alloc(), with EINVAL for another count, and with ENOMEM also if there are 262144 sheaves.
 *
 * A `struct slub_slab_sheaf *` is a handle: there is nothing to read at it. One that was returned, that is none, that is another copy of the library's or
 * that is of another cache is reported wherever it is passed, as a wrong free is.
 */
struct slub_slab_sheaf;
struct slub_slab_sheaf *slub_kmem_cache_prefill_sheaf(struct slub_kmem_cache *cache, slub_gfp_t flags,
                                                      unsigned int count) SLUBMALLOC_NOTHROW;

/*
 * An object from a sheaf, to be freed as any of the cache's; null, with errno as it was, if the sheaf is empty. Null with EINVAL for
 * flags that are refused and, after its line, for what is no sheaf of the cache.
 */
void *slub_kmem_cache_alloc_from_sheaf(struct slub_kmem_cache *cache, slub_gfp_t flags,
                                       struct slub_slab_sheaf *sheaf) SLUBMALLOC_NOTHROW;

/*
 * Has a sheaf hold at least `count` objects; if it has no room for as many, `*sheaf` is another one afterwards. 0, or -1 with errno as
 * above and the sheaf as it was.
 */
int slub_kmem_cache_refill_sheaf(struct slub_kmem_cache *cache, slub_gfp_t flags, struct slub_slab_sheaf **sheaf,
                                 unsigned int count) SLUBMALLOC_NOTHROW;

/* Frees a sheaf of the cache with what is in it; null is ignored. What is no sheaf of the cache is reported, and stays as it is. */
void slub_kmem_cache_return_sheaf(struct slub_kmem_cache *cache, slub_gfp_t flags,
                                  struct slub_slab_sheaf *sheaf) SLUBMALLOC_NOTHROW;

/* Objects in a sheaf; 0 with errno EINVAL, after its line, for what is none. */
unsigned int slub_kmem_cache_sheaf_size(struct slub_slab_sheaf *sheaf) SLUBMALLOC_NOTHROW;

/*
 * Mempools, as in the kernel: allocations that wait until somebody frees an object instead of failing.
 *
 * slub_mempool_create(count, cache): a pool with `count` objects in reserve, 1 to 65535, like those of the cache and beside them. They have
 * memory from now on, their constructor has run, and they count as in use for the cache and its limit. Null with errno EINVAL for another
 * count, and with ENOMEM if there is no memory for all of them, the cache's limit forbids it, or there are 65535 caches and mempools.
 *
 * slub_mempool_alloc(pool, flags): an object of the cache that is available without waiting, else one of the reserve, else any of the cache. With
 * GFP_KERNEL, if there is none, waits until one is freed and never fails; with __GFP_NOFAIL, passes the limits of the cache and the process
 * instead of waiting. With flags that forbid waiting (GFP_NOWAIT, GFP_ATOMIC) null
 * with ENOMEM. Null with EINVAL for flags that are refused, and for __GFP_ZERO.
 *
 * slub_mempool_free(object, pool): frees an object of the pool or of its cache; null is ignored. The reserve's objects are known by their
 * addresses: slub_kmem_cache_free() with the cache and, where malloc is this library's, free() also give them back to the reserve
 * and wake a thread that waits.
 *
 * slub_mempool_resize(pool, count): changes the number of objects in reserve to `count`. Memory of fewer stays until the pool is destroyed. 0,
 * or -1 with errno as above and the pool as it was; with EBUSY if more than `count` objects of the reserve are in use.
 *
 * slub_mempool_destroy(pool): 0; null is ignored. -1 with EBUSY if objects of the reserve are in use, as of
 * slub_kmem_cache_destroy(). To be done before the cache is destroyed.
 */
struct slub_mempool;
struct slub_mempool *slub_mempool_create(int count, struct slub_kmem_cache *cache) SLUBMALLOC_NOTHROW;
void *slub_mempool_alloc(struct slub_mempool *pool, slub_gfp_t flags) SLUBMALLOC_NOTHROW;
void slub_mempool_free(void *object, struct slub_mempool *pool) SLUBMALLOC_NOTHROW;
int slub_mempool_resize(struct slub_mempool *pool, int count) SLUBMALLOC_NOTHROW;
int slub_mempool_destroy(struct slub_mempool *pool) SLUBMALLOC_NOTHROW;

/*
 * Shrinkers, as in the kernel: functions of the program that give up what it can do without, such as a cache of its own, when memory is
 * short.
 *
 * slub_register_shrinker(name, count, scan, context, flags): from now on `count(context)` may be called for the number of objects that
 * could be given up, 0 or SLUB_SHRINK_EMPTY for none, and `scan(context, objects)` to give at most `objects` up, 128 at a time: it returns
 * how many it has freed, or SLUB_SHRINK_STOP if it can do nothing at this moment. They run in the thread that gives memory back, where
 * there is one (SLUBMALLOC_CONF=purge_thread:on starts it in any case), while little is left of the limit and soon after a request was
 * refused. With SLUB_SHRINK_DIRECT they also run in a thread whose allocation would fail, before it does, with none of this library's
 * locks held: such a function must only try locks of its own, which that thread may hold. It may allocate and free; what it allocates
 * fails if there is no memory, and calls no shrinker. None runs for requests that must not wait (GFP_NOWAIT, GFP_ATOMIC), that are
 * larger than the limit, in a signal handler that interrupts the allocator, and while fork() is under way.
 *
 * A handle. Null with errno EINVAL for a null name or function and unknown flags, ENOMEM if there are 256. Statistics call it by the
 * first 32 bytes of its name.
 *
 * slub_unregister_shrinker(shrinker): waits until no thread runs it; it is not called any more then. 0; null is ignored. -1 with errno
 * EINVAL for what is no shrinker any more, EBUSY in the shrinker itself.
 */
struct slub_shrinker;
#define SLUB_SHRINK_DIRECT 0x1u
#define SLUB_SHRINK_STOP   (~0ul)
#define SLUB_SHRINK_EMPTY  (~0ul - 1)
struct slub_shrinker *slub_register_shrinker(const char *name, unsigned long (*count)(void *context),
                                             unsigned long (*scan)(void *context, unsigned long objects),
                                             void *context, unsigned int flags) SLUBMALLOC_NOTHROW;
int slub_unregister_shrinker(struct slub_shrinker *shrinker) SLUBMALLOC_NOTHROW;

/*
 * slub_rcu_begin(), slub_rcu_end(number): grace periods, for caches with SLUB_TYPESAFE_BY_RCU.
 *
 * The memory of such a cache stays what it is, pages with objects of this cache, until a grace period has passed in which none of
 * them was in use: so a reader may look at an object that another thread frees at that moment. It is not unmapped, cleared or
 * given to another purpose, slub_kmem_cache_shrink() and slub_kmem_cache_destroy() included. An object may be handed out again at
 * once, so readers have to see whether it still is the one that they looked for.
 *
 * What a grace period is the program says: it calls slub_rcu_begin(), which returns a number, waits until all threads that were
 * readers at that moment are none any more, with synchronize_rcu() of liburcu for example, and calls slub_rcu_end() with the
 * number. Then memory goes that was without objects in use at the beginning. A program that never does so keeps it. The end of a
 * period is that of all that began before it.
 *
 * slub_rcu_begin() returns 0 where there is no cache, and slub_rcu_end(0) does nothing. slub_rcu_end() returns 0, or -1 with errno
 * EINVAL for a number that slub_rcu_begin() has not returned.
 */
unsigned long long slub_rcu_begin(void) SLUBMALLOC_NOTHROW;
int slub_rcu_end(unsigned long long number) SLUBMALLOC_NOTHROW;

/*
 * Gives slabs of a cache without objects in use to the rest of the heap at once, also objects that other threads have at hand; 0. From there
 * memory goes back to the system within a second or so, or at once by malloc_trim() or slub_trim(). Without this, what was not needed
 * goes back within some seconds, but for slabs of caches with a destructor or SLUB_TYPESAFE_BY_RCU. -1 with errno EINVAL, after its line, for
 * what is no cache.
 */
int slub_kmem_cache_shrink(struct slub_kmem_cache *cache) SLUBMALLOC_NOTHROW;

/* Bytes of an object, as they were asked for. This function and the next three give 0 or null with errno EINVAL, after its line, for what is no cache. */
unsigned int slub_kmem_cache_size(struct slub_kmem_cache *cache) SLUBMALLOC_NOTHROW;

/* What the addresses of objects are multiples of. */
unsigned int slub_kmem_cache_alignment(struct slub_kmem_cache *cache) SLUBMALLOC_NOTHROW;

/* The name, as long as the cache exists. */
const char *slub_kmem_cache_name(struct slub_kmem_cache *cache) SLUBMALLOC_NOTHROW;

/* Objects that the program holds; while other threads use the cache, a moment's number. Takes time for each thread. */
size_t slub_kmem_cache_used(struct slub_kmem_cache *cache) SLUBMALLOC_NOTHROW;

/*
 * Has at most `objects` objects of a cache exist from now on; (size_t)-1 is no limit. What threads have at hand counts too: an
 * allocation that needs it takes it from them, which can take some hundredths of a second, unless `flags` forbid waiting or have
 * __GFP_NORETRY. What the program holds already stays, also what came by __GFP_NOFAIL, and what is freed of that may be handed out again
 * by the thread that has it at hand. 0, or -1 with errno EINVAL for a cache that others may share (SLUB_MERGE) and, after its line, for what is
 * no cache.
 */
int slub_kmem_cache_set_limit(struct slub_kmem_cache *cache, size_t objects) SLUBMALLOC_NOTHROW;

/*
 * The heap profile: which stacks hold how much memory, by samples (docs/profiling.md).
 *
 * slubmalloc_profile() switches it on, with a sample every `rate` bytes that a thread allocates, in the mean and at random, 1 to 2^40;
 * 524288 costs little, and 1 samples every block. 0 switches it off; what was sampled stays known until it is freed. 0, or -1 with
 * errno EINVAL for another rate, where there is no memory for the tables, and where a debug mode is on.
 *
 * slubmalloc_profile_dump() writes what there is to the file `path`, which it makes for its owner's eyes or empties, in the text format
 * of gperftools, with what is mapped into the process. `pprof PROGRAM FILE` reads it. The numbers are estimates of blocks and bytes,
 * in use now and in all. 0, or -1 with errno ENODATA if the profile was never on, EINVAL for null, or what open(2) says of the file.
 */
int slubmalloc_profile(size_t rate) SLUBMALLOC_NOTHROW;
int slubmalloc_profile_dump(const char *path) SLUBMALLOC_NOTHROW;

/*
 * libslubmalloc-api.so has all functions of this header but none of malloc's names, for programs that keep their own malloc. There
 * free(), realloc() and malloc_usable_size() are another library's and do not know what these functions give; the following do.
 * They are free(), realloc() and malloc_usable_size() of this library's, also where those have these names as well.
 *
 *     cc program.c $(pkg-config --cflags --libs slubmalloc-api)
 *
 * A block of another library or of another copy of this one, which a process may have by dlopen(), is reported as any wrong free is.
 */
void slub_free(void *ptr) SLUBMALLOC_NOTHROW;
void *slub_realloc(void *ptr, size_t size) SLUBMALLOC_NOTHROW;
size_t slub_usable_size(const void *ptr) SLUBMALLOC_NOTHROW;
/* As malloc_trim(). */
int slub_trim(void) SLUBMALLOC_NOTHROW;

/*
 * kmalloc and its family: blocks of malloc's, with the kernel's flags.
 *
 * What any of these functions gives can be freed by slub_kfree, slub_kvfree, slub_vfree and free(), and slub_kfree frees what malloc
 * gave. A request for no bytes is answered with SLUB_ZERO_SIZE_PTR, which slub_kfree, slub_krealloc and slub_ksize know, and
 * which must not be read or written through; free() does not know it.
 *
 * Null with errno ENOMEM if there is no memory, or if `flags` forbid what would be needed; with EINVAL for flags that are
 * refused, as of slub_kmem_cache_alloc(). With SLUB___GFP_NOFAIL the process's limit is passed, and if the system has no memory the
 * process ends with a line.
 */
#define SLUB_ZERO_SIZE_PTR ((void *)16)
#define SLUB_ZERO_OR_NULL_PTR(ptr) ((size_t)(ptr) <= (size_t)SLUB_ZERO_SIZE_PTR)

/* `size` bytes; a power of two up to 4 MiB lies at a multiple of itself, anything else at one of 16. */
void *slub_kmalloc(size_t size, slub_gfp_t flags) SLUBMALLOC_NOTHROW;

/* The same with SLUB___GFP_ZERO. */
void *slub_kzalloc(size_t size, slub_gfp_t flags) SLUBMALLOC_NOTHROW;

/* The same from a NUMA node, as slub_kmem_cache_alloc_node(), and refused alike, also for no bytes. */
void *slub_kmalloc_node(size_t size, slub_gfp_t flags, int node) SLUBMALLOC_NOTHROW;

/* `count` times `size` bytes; null with ENOMEM also if the product overflows. */
void *slub_kmalloc_array(size_t count, size_t size, slub_gfp_t flags) SLUBMALLOC_NOTHROW;

/* The same with SLUB___GFP_ZERO. */
void *slub_kcalloc(size_t count, size_t size, slub_gfp_t flags) SLUBMALLOC_NOTHROW;

/*
 * slub_krealloc(ptr, size, flags): a block of `size` bytes with what `ptr` held, which is freed if it moves; null leaves it as it
 * was. Without a block it is slub_kmalloc(size, flags). Size 0 frees and gives SLUB_ZERO_SIZE_PTR. With SLUB___GFP_ZERO
 * what is new reads as zero, if the block came with that flag and grew only with it.
 */
void *slub_krealloc(void *ptr, size_t size, slub_gfp_t flags) SLUBMALLOC_NOTHROW;

/* Frees a block; null and SLUB_ZERO_SIZE_PTR are ignored. errno stays. */
void slub_kfree(void *ptr) SLUBMALLOC_NOTHROW;

/* Clears all bytes of a block and frees it. */
void slub_kfree_sensitive(void *ptr) SLUBMALLOC_NOTHROW;

/* The bytes of a block that may be used; 0 for null and SLUB_ZERO_SIZE_PTR. */
size_t slub_ksize(const void *ptr) SLUBMALLOC_NOTHROW;

/* As slub_kmalloc and slub_kfree, which serve any size here. */
void *slub_kvmalloc(size_t size, slub_gfp_t flags) SLUBMALLOC_NOTHROW;
void slub_kvfree(const void *ptr) SLUBMALLOC_NOTHROW;

/* A copy of a string; null for null. */
char *slub_kstrdup(const char *text, slub_gfp_t flags) SLUBMALLOC_NOTHROW;

/* A copy of `length` bytes; of null, a block with undefined contents. */
void *slub_kmemdup(const void *source, size_t length, slub_gfp_t flags) SLUBMALLOC_NOTHROW;

/* Whole pages of the operating system for `size` bytes; null with errno ENOMEM also for size 0. */
void *slub_vmalloc(size_t size) SLUBMALLOC_NOTHROW;

/* The same, reading as zero. */
void *slub_vzalloc(size_t size) SLUBMALLOC_NOTHROW;
void slub_vfree(const void *ptr) SLUBMALLOC_NOTHROW;

/*
 * Pages: blocks of 2^order pages of 4096 bytes at multiples of their length, order 0 to 10. Null, or 0, as above; with EINVAL also
 * for a larger order. What is freed with another order than it has is reported.
 *
 * A `struct slub_page *` is a handle: there is nothing to read at it.
 */
struct slub_page;
#define SLUB_MAX_PAGE_ORDER 10
#define SLUB_PAGE_SIZE      ((size_t)4096)

struct slub_page *slub_alloc_pages(slub_gfp_t flags, unsigned int order) SLUBMALLOC_NOTHROW;
void slub___free_pages(struct slub_page *page, unsigned int order) SLUBMALLOC_NOTHROW;

/* The same by address. */
unsigned long slub___get_free_pages(slub_gfp_t flags, unsigned int order) SLUBMALLOC_NOTHROW;
unsigned long slub_get_zeroed_page(slub_gfp_t flags) SLUBMALLOC_NOTHROW;
void slub_free_pages(unsigned long address, unsigned int order) SLUBMALLOC_NOTHROW;

/*
 * Pages for `size` bytes, 1 to 4 MiB, at a multiple of the power of two that holds them; for some sizes of up to 15 pages that many pages.
 */
void *slub_alloc_pages_exact(size_t size, slub_gfp_t flags) SLUBMALLOC_NOTHROW;
void slub_free_pages_exact(void *address, size_t size) SLUBMALLOC_NOTHROW;

/* The address of a page; the page that an address lies in, of which only blocks' first ones have an order. */
void *slub_page_address(const struct slub_page *page) SLUBMALLOC_NOTHROW;
struct slub_page *slub_virt_to_page(const void *address) SLUBMALLOC_NOTHROW;
unsigned int slub_page_order(const struct slub_page *page) SLUBMALLOC_NOTHROW;

/* The NUMA node that a page is on, as slubmalloc_node_of(). */
int slub_page_to_nid(const struct slub_page *page) SLUBMALLOC_NOTHROW;

/*
 * Pools: heaps of a program's own. A pool has memory that no other block lies in, so that all of its blocks can go at once, and a limit
 * on what they have together. Blocks are what malloc() gives: aligned to 16, of at least the size that was asked for.
 *
 * Where malloc is this library's, free(), realloc() and malloc_usable_size() take a pool's blocks as well, from any thread; in programs
 * with libslubmalloc-api.so, slub_free(), slub_realloc() and slub_usable_size() do. A block that realloc() moves stays in its pool.
 *
 * Using a pool after its end, a handle that is none, and a block that is freed to another pool than its own are reported with a line, as
 * a wrong free is; where the process goes on (`crime:warn`) such a call does nothing, and those that return something fail with
 * errno EINVAL. Functions of pools may be called in signal handlers; where one interrupts its own thread in the allocator, an allocation is
 * refused, and a free done later. A handle of a pool that has ended may be another pool's after 2^28 that lived in the same place.
 */
struct slub_pool;

/*
 * Of slub_pool_options.flags: only one thread at a time uses the pool or frees its blocks, which takes no lock then. In the child of a fork
 * a pool that another thread was using at that moment stays as it was: allocations are refused, and its end fails with EBUSY.
 */
#define SLUB_POOL_SINGLE_THREAD 1u

struct slub_pool_options {
    /* sizeof(struct slub_pool_options), which tells the version of this structure. */
    size_t size;
    /* For messages, at most 32 bytes of it; null is none. */
    const char *name;
    /* The most bytes that blocks in use may have, as malloc_usable_size() tells them; 0 is no limit. Slabs, of which blocks may leave a part
       unused, are not counted. */
    size_t limit;
    /* A pool whose limit counts as well, and those above it; null is none. */
    struct slub_pool *parent;
    /* The NUMA node that memory comes from as long as it has any; -1 is that of the calling thread. */
    int node;
    /* SLUB_POOL_* */
    unsigned int flags;
};

/* Options of which nothing is said. */
#define SLUB_POOL_OPTIONS_INIT {sizeof(struct slub_pool_options), 0, 0, 0, -1, 0}

/*
 * slub_pool_create(options): a pool without blocks. A null `options` is all defaults. There can be 65536 pools.
 *
 * Null with errno ENOMEM if there is no memory, and with EINVAL for unknown flags, for a node that threads of this process take no memory
 * from, for a parent that is no pool, and if options->size ends inside of a field, or beyond the last one that this version knows and
 * what is there is not zero.
 */
struct slub_pool *slub_pool_create(const struct slub_pool_options *options) SLUBMALLOC_NOTHROW;

/*
 * slub_pool_malloc(pool, size), slub_pool_calloc(pool, count, size), slub_pool_aligned_alloc(pool, align, size),
 * slub_pool_realloc(pool, block, size), slub_pool_free(pool, block): as the functions of C with these names. `block` is one of the pool, or
 * null; one of another pool, or of none, is reported.
 *
 * Null with errno ENOMEM if there is no memory, if the block would pass the limit of the pool or of one above it, and for more than 2^20 blocks
 * above 48 KiB in all pools; direct shrinkers run before the first of these, not at limits of pools. A block that
 * slub_pool_realloc was to resize stays as it was. Null with EINVAL for an alignment that is no power of two. slub_pool_free keeps
 * errno.
 */
void *slub_pool_malloc(struct slub_pool *pool, size_t size) SLUBMALLOC_NOTHROW;
void *slub_pool_calloc(struct slub_pool *pool, size_t count, size_t size) SLUBMALLOC_NOTHROW;
void *slub_pool_aligned_alloc(struct slub_pool *pool, size_t align, size_t size) SLUBMALLOC_NOTHROW;
void *slub_pool_realloc(struct slub_pool *pool, void *block, size_t size) SLUBMALLOC_NOTHROW;
void slub_pool_free(struct slub_pool *pool, void *block) SLUBMALLOC_NOTHROW;

/*
 * slub_pool_reset(pool, flags): frees all blocks of a pool at once, which nobody uses any more; the pool stays, with memory for at most one
 * slab of each size that it used. Pools below it keep theirs. 0.
 *
 * slub_pool_destroy(pool, flags): the same, and the pool ends. Pools below it live on, under the limits of those above. 0; null is ignored.
 *
 * `flags` is 0 or SLUB_POOL_FORCE; -1 with errno EINVAL otherwise. -1 with EBUSY, and all stays as it is, without that flag for a pool that
 * was ever pushed (see below), and in a signal handler that interrupts its own thread in the allocator.
 */
#define SLUB_POOL_FORCE 1u

int slub_pool_reset(struct slub_pool *pool, unsigned int flags) SLUBMALLOC_NOTHROW;
int slub_pool_destroy(struct slub_pool *pool, unsigned int flags) SLUBMALLOC_NOTHROW;

/*
 * slub_pool_release(pool): ends a pool whose blocks stay until each is freed, by free() or by slub_pool_free() with the pool above it to which they
 * are charged; slub_pool_of() says which that is, and its reset or end leaves them. Memory goes as they do, the last of it with the last
 * block: until then the pool counts as one of the 65536. 0; null is ignored.
 */
int slub_pool_release(struct slub_pool *pool) SLUBMALLOC_NOTHROW;

/*
 * slub_pool_push(pool): from now on what this thread gets from malloc(), calloc(), realloc() of null, the aligned functions, operator new
 * and slubmalloc_alloc_at_least() comes from the pool, with its limit, until slub_pool_pop(pool) takes that back. What libraries allocate
 * comes from there, too: without knowing it, the C library may keep buffers of streams, locale data or tables of new threads in the
 * pool, so slub_pool_reset() and slub_pool_destroy() of a pool that was ever pushed need SLUB_POOL_FORCE, which says that nobody uses any of
 * that; slub_pool_release() always works. A block that realloc() moves stays where it was, in its pool or in none. kmalloc's family, pages,
 * named caches and other pools are as they always are.
 *
 * Pushes nest, up to 64 of different pools one upon the other, and belong to the calling thread: new threads begin with none, the child of a
 * fork has those of the thread that forked. A pool that ends while it is pushed is passed over: blocks come from the one below it, and from no
 * pool if there is none. Where a signal handler has interrupted its own thread in the pool, blocks of its malloc() are of no pool.
 *
 * 0, or -1: slub_pool_push with errno ENOMEM if there is no memory or no room for one more, EBUSY in a signal handler that has interrupted its
 * own thread in the allocator, EINVAL for what is no pool; slub_pool_pop with EINVAL, after a line that says so, if the last push that
 * this thread has not popped is not of this pool. A thread that ends before it pops is named in a line, and its pushes are forgotten.
 */
int slub_pool_push(struct slub_pool *pool) SLUBMALLOC_NOTHROW;
int slub_pool_pop(struct slub_pool *pool) SLUBMALLOC_NOTHROW;

/* The pool that a block is of, or charged to since its own was released; null for one of none. */
struct slub_pool *slub_pool_of(const void *block) SLUBMALLOC_NOTHROW;

/*
 * slub_pool_used(pool): bytes that blocks of a pool and of those below it have. Of those below, up to 64 KiB for each size that they use are
 * counted although nobody holds them, also against the limits above. They come back when the pool below ends, or meets a limit itself.
 */
size_t slub_pool_used(struct slub_pool *pool) SLUBMALLOC_NOTHROW;

/*
 * slub_pool_set_limit(pool, bytes): has the blocks of a pool, and of those below it, have at most `bytes` from now on; 0 is no limit.
 * What is there already stays, and pools below hand out what they have at hand. 0, or -1 with errno EINVAL for what is no pool.
 */
int slub_pool_set_limit(struct slub_pool *pool, size_t bytes) SLUBMALLOC_NOTHROW;

/*
 * slubmalloc_alloc_at_least(size, &usable): as malloc(size), and says in `usable` how many bytes the block has, all of which may
 * be used. free_sized() takes any size from the one that was asked for to the usable one. `usable` is left alone without a
 * block.
 */
void *slubmalloc_alloc_at_least(size_t size, size_t *usable) SLUBMALLOC_NOTHROW;

#ifdef __cplusplus
}
#endif

#undef SLUBMALLOC_NOTHROW

#endif /* SLUBMALLOC_H */
