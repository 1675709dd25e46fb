/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The kernel's own names for what slubmalloc.h declares, so that code which was written for the kernel's allocators compiles with
 * this one include. Nothing includes it by itself: the names are short.
 *
 * Functions are inline, without a symbol of their own, but for kmem_cache_create() and virt_to_page(): their address can be taken, members and variables may have their names, and a
 * library that the program loads sees none of them. A program that has such a function itself renames this one:
 * `#define kstrdup slub_kernel_kstrdup` before the include and `#undef kstrdup` after it.
 *
 * kmem_cache_create() takes the five arguments of all versions of Linux, or the four of Linux 6.12 with a structure of arguments.
 */
#ifndef SLUBMALLOC_KERNEL_H
#define SLUBMALLOC_KERNEL_H

#include <slubmalloc.h>

typedef slub_gfp_t gfp_t;
typedef unsigned int slab_flags_t;

/* `struct page` is a type of its own here: `page` is a common name of variables, which no macro may take. */
struct page;

#define kmem_cache      slub_kmem_cache

#define __GFP_DMA            SLUB___GFP_DMA
#define __GFP_HIGHMEM        SLUB___GFP_HIGHMEM
#define __GFP_DMA32          SLUB___GFP_DMA32
#define __GFP_MOVABLE        SLUB___GFP_MOVABLE
#define __GFP_RECLAIMABLE    SLUB___GFP_RECLAIMABLE
#define __GFP_HIGH           SLUB___GFP_HIGH
#define __GFP_IO             SLUB___GFP_IO
#define __GFP_FS             SLUB___GFP_FS
#define __GFP_ZERO           SLUB___GFP_ZERO
#define __GFP_DIRECT_RECLAIM SLUB___GFP_DIRECT_RECLAIM
#define __GFP_KSWAPD_RECLAIM SLUB___GFP_KSWAPD_RECLAIM
#define __GFP_RECLAIM        SLUB___GFP_RECLAIM
#define __GFP_NOWARN         SLUB___GFP_NOWARN
#define __GFP_RETRY_MAYFAIL  SLUB___GFP_RETRY_MAYFAIL
#define __GFP_NOFAIL         SLUB___GFP_NOFAIL
#define __GFP_NORETRY        SLUB___GFP_NORETRY
#define __GFP_MEMALLOC       SLUB___GFP_MEMALLOC
#define __GFP_COMP           SLUB___GFP_COMP
#define __GFP_HARDWALL       SLUB___GFP_HARDWALL
#define __GFP_THISNODE       SLUB___GFP_THISNODE
#define __GFP_ACCOUNT        SLUB___GFP_ACCOUNT
/* There are no reserves of memory to keep off. */
#define __GFP_NOMEMALLOC     0u
/* Hints, to writeback and to lockdep. */
#define __GFP_WRITE          0u
#define __GFP_NOLOCKDEP      0u
/* Bits above these are free for a program's own use of a gfp_t; they must not reach an allocation. */
#define __GFP_BITS_SHIFT     27
#define __GFP_BITS_MASK      ((1u << __GFP_BITS_SHIFT) - 1)
#define GFP_ZONEMASK         (__GFP_DMA | __GFP_HIGHMEM | __GFP_DMA32 | __GFP_MOVABLE)

#define GFP_KERNEL         SLUB_GFP_KERNEL
#define GFP_KERNEL_ACCOUNT SLUB_GFP_KERNEL_ACCOUNT
#define GFP_ATOMIC         SLUB_GFP_ATOMIC
#define GFP_NOWAIT         SLUB_GFP_NOWAIT
#define GFP_NOIO           SLUB_GFP_NOIO
#define GFP_NOFS           SLUB_GFP_NOFS
#define GFP_USER           SLUB_GFP_USER
#define GFP_HIGHUSER       SLUB_GFP_HIGHUSER
#define GFP_HIGHUSER_MOVABLE (SLUB_GFP_HIGHUSER | SLUB___GFP_MOVABLE)
#define GFP_DMA            SLUB_GFP_DMA
#define GFP_DMA32          SLUB_GFP_DMA32

#define SLAB_HWCACHE_ALIGN SLUB_HWCACHE_ALIGN
#define SLAB_CONSISTENCY_CHECKS SLUB_CONSISTENCY_CHECKS
#define SLAB_RED_ZONE      SLUB_RED_ZONE
#define SLAB_POISON        SLUB_POISON
#define SLAB_STORE_USER    SLUB_STORE_USER
#define SLAB_TYPESAFE_BY_RCU SLUB_TYPESAFE_BY_RCU
#define SLAB_PANIC         SLUB_PANIC
/* There is no SLAB_MERGE in the kernel. */
#define SLAB_NO_MERGE      SLUB_NO_MERGE
#define SLAB_ACCOUNT       SLUB_ACCOUNT
/* Nothing is reclaimed from a cache but its free memory. */
#define SLAB_RECLAIM_ACCOUNT 0u
#define SLAB_TEMPORARY     0u
/* Hints, to cpusets, kmemleak and debugobjects. */
#define SLAB_MEM_SPREAD    0u
#define SLAB_NOLEAKTRACE   0u
#define SLAB_DEBUG_OBJECTS 0u
/* A process has no memory for devices: refused. */
#define SLAB_CACHE_DMA     0x4000u
#define SLAB_CACHE_DMA32   0x8000u

/* Also in C90, and without a warning where nothing uses them. */
#define SLUB_INLINE static __inline__ __attribute__((__unused__))

#ifndef NUMA_NO_NODE
#define NUMA_NO_NODE (-1)
#endif

/* Whether an allocation with these flags may wait. */
SLUB_INLINE int gfpflags_allow_blocking(gfp_t flags) { return !!(flags & __GFP_DIRECT_RECLAIM); }

/* Caches. As in Linux 6.12 and later: nothing is written to a free object, and what may be copied to user space is not checked. */
struct kmem_cache_args {
    unsigned int align;
    unsigned int useroffset, usersize;
    unsigned int freeptr_offset;
    unsigned char use_freeptr_offset;
    void (*ctor)(void *);
    unsigned int sheaf_capacity;
};

SLUB_INLINE struct kmem_cache *slub_create_with_args(const char *name, unsigned int size, struct kmem_cache_args *args,
                                                     slab_flags_t flags) {
    struct slub_kmem_cache_args ours = {sizeof(struct slub_kmem_cache_args), 0, 0, NULL, NULL, 0};
    if (args != NULL) {
        ours.align = args->align;
        ours.sheaf_capacity = args->sheaf_capacity;
        ours.ctor = args->ctor;
    }
    return slub_kmem_cache_create_args(name, size, &ours, flags);
}

/* By the number of arguments. */
#define SLUB_SELECT(a, b, c, d, e, name, ...) name
#define kmem_cache_create(...) \
    SLUB_SELECT(__VA_ARGS__, slub_kmem_cache_create, slub_create_with_args, slub_none, slub_none, slub_none)(__VA_ARGS__)

SLUB_INLINE struct kmem_cache *kmem_cache_create_usercopy(const char *name, unsigned int size, unsigned int align,
                                                          slab_flags_t flags, unsigned int useroffset, unsigned int usersize,
                                                          void (*ctor)(void *)) {
    (void)useroffset, (void)usersize;
    return slub_kmem_cache_create(name, size, align, flags, ctor);
}

/* A cache of a structure, with its name and alignment. */
#define KMEM_CACHE(type, flags) \
    slub_kmem_cache_create(#type, sizeof(struct type), __alignof__(struct type), flags, NULL)
#define KMEM_CACHE_USERCOPY(type, flags, member) KMEM_CACHE(type, flags)

SLUB_INLINE void kmem_cache_destroy(struct kmem_cache *cache) { (void)slub_kmem_cache_destroy(cache); }
SLUB_INLINE void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t flags) { return slub_kmem_cache_alloc(cache, flags); }
SLUB_INLINE void *kmem_cache_zalloc(struct kmem_cache *cache, gfp_t flags) { return slub_kmem_cache_zalloc(cache, flags); }
SLUB_INLINE void *kmem_cache_alloc_node(struct kmem_cache *cache, gfp_t flags, int node) {
    return slub_kmem_cache_alloc_node(cache, flags, node);
}
/* The list says whose memory the object is, and there is one process. */
struct list_lru;
SLUB_INLINE void *kmem_cache_alloc_lru(struct kmem_cache *cache, struct list_lru *lru, gfp_t flags) {
    (void)lru;
    return slub_kmem_cache_alloc(cache, flags);
}
SLUB_INLINE void kmem_cache_free(struct kmem_cache *cache, void *object) { slub_kmem_cache_free(cache, object); }
SLUB_INLINE int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t flags, size_t count, void **objects) {
    return slub_kmem_cache_alloc_bulk(cache, flags, count, objects);
}
SLUB_INLINE void kmem_cache_free_bulk(struct kmem_cache *cache, size_t count, void **objects) {
    size_t i;
    if (cache != NULL) {
        slub_kmem_cache_free_bulk(cache, count, objects);
        return;
    }
    /* Objects of any cache, and blocks of kmalloc(). */
    for (i = 0; i < count; i++) slub_kfree(objects[i]);
}
SLUB_INLINE void kfree_bulk(size_t count, void **objects) { kmem_cache_free_bulk(NULL, count, objects); }
SLUB_INLINE int kmem_cache_shrink(struct kmem_cache *cache) { return slub_kmem_cache_shrink(cache); }
SLUB_INLINE unsigned int kmem_cache_size(struct kmem_cache *cache) { return slub_kmem_cache_size(cache); }

/* Sheaves. */
#define slab_sheaf slub_slab_sheaf

SLUB_INLINE struct slab_sheaf *kmem_cache_prefill_sheaf(struct kmem_cache *cache, gfp_t flags, unsigned int count) {
    return slub_kmem_cache_prefill_sheaf(cache, flags, count);
}
SLUB_INLINE void *kmem_cache_alloc_from_sheaf(struct kmem_cache *cache, gfp_t flags, struct slab_sheaf *sheaf) {
    return slub_kmem_cache_alloc_from_sheaf(cache, flags, sheaf);
}
SLUB_INLINE int kmem_cache_refill_sheaf(struct kmem_cache *cache, gfp_t flags, struct slab_sheaf **sheaf, unsigned int count) {
    return slub_kmem_cache_refill_sheaf(cache, flags, sheaf, count);
}
SLUB_INLINE void kmem_cache_return_sheaf(struct kmem_cache *cache, gfp_t flags, struct slab_sheaf *sheaf) {
    slub_kmem_cache_return_sheaf(cache, flags, sheaf);
}
SLUB_INLINE unsigned int kmem_cache_sheaf_size(struct slab_sheaf *sheaf) { return slub_kmem_cache_sheaf_size(sheaf); }

/* Mempools, whose elements are objects of a cache. */
typedef struct slub_mempool mempool_t;

SLUB_INLINE mempool_t *mempool_create_slab_pool(int count, struct kmem_cache *cache) { return slub_mempool_create(count, cache); }
/*
 * Elements of `size` bytes, at most 48 KiB. They are objects of a cache that all such pools share whose elements are about as large, and which stays.
 */
SLUB_INLINE mempool_t *mempool_create_kmalloc_pool(int count, size_t size) {
    unsigned int most = size > 49152 ? 49153 : (unsigned int)size;
    unsigned int align = (most & (most - 1)) == 0 && most <= 4096 ? most : 0;
    struct kmem_cache *cache = slub_kmem_cache_create("mempool-kmalloc", most, align, SLUB_MERGE, NULL);
    mempool_t *pool = cache == NULL ? NULL : slub_mempool_create(count, cache);
    if (cache != NULL && pool == NULL) (void)slub_kmem_cache_destroy(cache);
    return pool;
}
SLUB_INLINE void *mempool_alloc(mempool_t *pool, gfp_t flags) { return slub_mempool_alloc(pool, flags); }
SLUB_INLINE void mempool_free(void *element, mempool_t *pool) { slub_mempool_free(element, pool); }
SLUB_INLINE int mempool_resize(mempool_t *pool, int count) { return slub_mempool_resize(pool, count); }
SLUB_INLINE void mempool_destroy(mempool_t *pool) { (void)slub_mempool_destroy(pool); }

/* Blocks of any size. */
#define ARCH_KMALLOC_MINALIGN 16
#define ARCH_SLAB_MINALIGN    16
#define ZERO_SIZE_PTR      SLUB_ZERO_SIZE_PTR
#define ZERO_OR_NULL_PTR(ptr) SLUB_ZERO_OR_NULL_PTR(ptr)

SLUB_INLINE void *kmalloc(size_t size, gfp_t flags) { return slub_kmalloc(size, flags); }
SLUB_INLINE void *kzalloc(size_t size, gfp_t flags) { return slub_kzalloc(size, flags); }
SLUB_INLINE void *kmalloc_node(size_t size, gfp_t flags, int node) { return slub_kmalloc_node(size, flags, node); }
SLUB_INLINE void *kzalloc_node(size_t size, gfp_t flags, int node) { return slub_kmalloc_node(size, flags | __GFP_ZERO, node); }
SLUB_INLINE void *kmalloc_array(size_t count, size_t size, gfp_t flags) { return slub_kmalloc_array(count, size, flags); }
SLUB_INLINE void *kcalloc(size_t count, size_t size, gfp_t flags) { return slub_kcalloc(count, size, flags); }
SLUB_INLINE void *krealloc(const void *ptr, size_t size, gfp_t flags) { return slub_krealloc((void *)ptr, size, flags); }
SLUB_INLINE void kfree(const void *ptr) { slub_kfree((void *)ptr); }
SLUB_INLINE void kfree_sensitive(const void *ptr) { slub_kfree_sensitive((void *)ptr); }
SLUB_INLINE void kzfree(const void *ptr) { slub_kfree_sensitive((void *)ptr); }
/* Who asked is found out where a mode asks for it. */
SLUB_INLINE void *kmalloc_track_caller(size_t size, gfp_t flags) { return slub_kmalloc(size, flags); }
SLUB_INLINE void *kmalloc_node_track_caller(size_t size, gfp_t flags, int node) { return slub_kmalloc_node(size, flags, node); }
SLUB_INLINE size_t ksize(const void *ptr) { return slub_ksize(ptr); }
SLUB_INLINE char *kstrdup(const char *text, gfp_t flags) { return slub_kstrdup(text, flags); }
/* Always a copy, also of a string that is never freed, so kfree_const() takes only what this gave. */
SLUB_INLINE const char *kstrdup_const(const char *text, gfp_t flags) { return slub_kstrdup(text, flags); }
SLUB_INLINE void kfree_const(const void *ptr) { slub_kfree((void *)ptr); }
SLUB_INLINE void *kmemdup(const void *source, size_t length, gfp_t flags) { return slub_kmemdup(source, length, flags); }

SLUB_INLINE void *kvmalloc(size_t size, gfp_t flags) { return slub_kvmalloc(size, flags); }
SLUB_INLINE void *kvzalloc(size_t size, gfp_t flags) { return slub_kvmalloc(size, flags | __GFP_ZERO); }
SLUB_INLINE void *kvmalloc_node(size_t size, gfp_t flags, int node) { return slub_kmalloc_node(size, flags, node); }
SLUB_INLINE void *kvzalloc_node(size_t size, gfp_t flags, int node) { return kzalloc_node(size, flags, node); }
SLUB_INLINE void *kvmalloc_array(size_t count, size_t size, gfp_t flags) { return slub_kmalloc_array(count, size, flags); }
SLUB_INLINE void *kvcalloc(size_t count, size_t size, gfp_t flags) { return slub_kcalloc(count, size, flags); }
SLUB_INLINE void kvfree(const void *ptr) { slub_kvfree(ptr); }
/* Product and sum of two sizes, SIZE_MAX if there is none: an allocation of that many bytes fails. */
SLUB_INLINE size_t slub_product(size_t a, size_t b) { return b != 0 && a > (size_t)-1 / b ? (size_t)-1 : a * b; }
SLUB_INLINE size_t slub_sum(size_t a, size_t b) { return a > (size_t)-1 - b ? (size_t)-1 : a + b; }

SLUB_INLINE size_t size_mul(size_t a, size_t b) { return slub_product(a, b); }
SLUB_INLINE size_t size_add(size_t a, size_t b) { return slub_sum(a, b); }
SLUB_INLINE size_t array3_size(size_t a, size_t b, size_t c) { return slub_product(slub_product(a, b), c); }
/* What a block of `size` bytes has at least. */
SLUB_INLINE size_t kmalloc_size_roundup(size_t size) {
    return size > (size_t)-1 - (ARCH_KMALLOC_MINALIGN - 1) ? size
                                                           : (size + ARCH_KMALLOC_MINALIGN - 1) & ~(size_t)(ARCH_KMALLOC_MINALIGN - 1);
}
SLUB_INLINE size_t array_size(size_t count, size_t size) { return slub_product(count, size); }
SLUB_INLINE void *krealloc_array(void *ptr, size_t count, size_t size, gfp_t flags) {
    return slub_krealloc(ptr, slub_product(count, size), flags);
}
SLUB_INLINE void *kvrealloc(const void *ptr, size_t size, gfp_t flags) { return slub_krealloc((void *)ptr, size, flags); }
SLUB_INLINE void kvfree_sensitive(const void *ptr, size_t length) { (void)length, slub_kfree_sensitive((void *)ptr); }
SLUB_INLINE void *kmalloc_array_node(size_t count, size_t size, gfp_t flags, int node) {
    return slub_kmalloc_node(array_size(count, size), flags, node);
}
SLUB_INLINE void *kcalloc_node(size_t count, size_t size, gfp_t flags, int node) {
    return slub_kmalloc_node(array_size(count, size), flags | __GFP_ZERO, node);
}
SLUB_INLINE void *kmemdup_array(const void *source, size_t count, size_t size, gfp_t flags) {
    return slub_kmemdup(source, array_size(count, size), flags);
}
SLUB_INLINE void *vmalloc_array(size_t count, size_t size) { return slub_vmalloc(array_size(count, size)); }
SLUB_INLINE void *vcalloc(size_t count, size_t size) { return slub_vzalloc(array_size(count, size)); }
SLUB_INLINE void *__vmalloc(unsigned long size, gfp_t flags) { return slub_kvmalloc(size, flags); }
SLUB_INLINE char *kmemdup_nul(const char *text, size_t length, gfp_t flags) {
    char *copy = text == NULL ? NULL : (char *)slub_kmalloc(slub_sum(length, 1), flags);
    if (copy != NULL) {
        __builtin_memcpy(copy, text, length);
        copy[length] = 0;
    }
    return copy;
}
SLUB_INLINE char *kstrndup(const char *text, size_t most, gfp_t flags) {
    size_t length = 0;
    while (text != NULL && length < most && text[length] != 0) length++;
    return kmemdup_nul(text, length, flags);
}
SLUB_INLINE void *vmalloc(unsigned long size) { return slub_vmalloc(size); }
SLUB_INLINE void *vzalloc(unsigned long size) { return slub_vzalloc(size); }
SLUB_INLINE void vfree(const void *ptr) { slub_vfree(ptr); }

/* Bytes of a structure with `count` elements in its last member, an array without a length. */
#ifndef struct_size
#define struct_size(ptr, member, count) slub_sum(sizeof(*(ptr)), slub_product(count, sizeof(*(ptr)->member)))
#endif
/* Of the elements. */
#ifndef flex_array_size
#define flex_array_size(ptr, member, count) slub_product(count, sizeof(*(ptr)->member))
#endif

/* Pages. */
#ifndef PAGE_SHIFT
#define PAGE_SHIFT 12
#endif
#ifndef PAGE_SIZE
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#endif
#ifndef PAGE_MASK
#define PAGE_MASK (~(PAGE_SIZE - 1))
#endif
#ifndef PAGE_ALIGN
#define PAGE_ALIGN(address) (((unsigned long)(address) + PAGE_SIZE - 1) & PAGE_MASK)
#endif
#define MAX_PAGE_ORDER SLUB_MAX_PAGE_ORDER
/* The largest order, as in Linux 6.4 to 6.7; it was one more before, and is MAX_PAGE_ORDER since. */
#ifndef MAX_ORDER
#define MAX_ORDER MAX_PAGE_ORDER
#endif
/* What the kernel's kmalloc() gives at most; this one gives more. */
#define KMALLOC_MAX_SIZE (1UL << (MAX_PAGE_ORDER + 12))

/* The order of the smallest block of pages with `size` bytes. */
SLUB_INLINE int get_order(unsigned long size) {
    int order = 0;
    size = (size - 1) / SLUB_PAGE_SIZE;
    for (; size != 0; size >>= 1) order++;
    return order;
}

SLUB_INLINE struct page *alloc_pages(gfp_t flags, unsigned int order) { return (struct page *)slub_alloc_pages(flags, order); }
SLUB_INLINE struct page *alloc_page(gfp_t flags) { return alloc_pages(flags, 0); }
SLUB_INLINE void __free_pages(struct page *page, unsigned int order) { slub___free_pages((struct slub_page *)page, order); }
SLUB_INLINE void __free_page(struct page *page) { __free_pages(page, 0); }
SLUB_INLINE unsigned long __get_free_pages(gfp_t flags, unsigned int order) { return slub___get_free_pages(flags, order); }
SLUB_INLINE unsigned long __get_free_page(gfp_t flags) { return slub___get_free_pages(flags, 0); }
SLUB_INLINE unsigned long get_zeroed_page(gfp_t flags) { return slub_get_zeroed_page(flags); }
SLUB_INLINE void free_pages(unsigned long address, unsigned int order) { slub_free_pages(address, order); }
SLUB_INLINE void free_page(unsigned long address) { slub_free_pages(address, 0); }
SLUB_INLINE void *alloc_pages_exact(size_t size, gfp_t flags) { return slub_alloc_pages_exact(size, flags); }
SLUB_INLINE void free_pages_exact(void *address, size_t size) { slub_free_pages_exact(address, size); }
SLUB_INLINE void *page_address(const struct page *page) { return slub_page_address((const struct slub_page *)page); }
/* Of a pointer, or of the number that __get_free_page() gives. */
#define virt_to_page(address) ((struct page *)slub_virt_to_page((const void *)(unsigned long)(address)))
/* The first page of the block of pages that an address lies in; of another block, the page itself. */
SLUB_INLINE struct page *virt_to_head_page(const void *address) {
    unsigned int order;
    for (order = 0; order <= SLUB_MAX_PAGE_ORDER; order++) {
        unsigned long first = (unsigned long)address & ~((SLUB_PAGE_SIZE << order) - 1);
        struct slub_page *page = slub_virt_to_page((const void *)first);
        if (page != NULL && slub_page_order(page) >= order && slub_usable_size((const void *)first) > 0) return (struct page *)page;
    }
    return virt_to_page(address);
}
SLUB_INLINE unsigned int compound_order(struct page *page) { return slub_page_order((const struct slub_page *)page); }
/* Near the node, or only there with __GFP_THISNODE. */
SLUB_INLINE struct page *alloc_pages_node(int node, gfp_t flags, unsigned int order) {
    if (node == NUMA_NO_NODE || order > SLUB_MAX_PAGE_ORDER) return alloc_pages(flags, order);
    return virt_to_page(slub_kmalloc_node(SLUB_PAGE_SIZE << order, flags, node));
}
SLUB_INLINE void *slub_vmalloc_node(unsigned long size, gfp_t flags, int node) {
    /* Powers of two lie at multiples of themselves, and longer blocks at pages. */
    unsigned long bytes = size <= 49152 && size > 0 ? SLUB_PAGE_SIZE << get_order(size) : size;
    if (bytes == 0 || bytes > (unsigned long)-1 - SLUB_PAGE_SIZE) return slub_vmalloc(bytes);
    return slub_kmalloc_node(PAGE_ALIGN(bytes), flags, node);
}
SLUB_INLINE void *vmalloc_node(unsigned long size, int node) {
    return node == NUMA_NO_NODE ? slub_vmalloc(size) : slub_vmalloc_node(size, GFP_KERNEL, node);
}
SLUB_INLINE void *vzalloc_node(unsigned long size, int node) {
    return node == NUMA_NO_NODE ? slub_vzalloc(size) : slub_vmalloc_node(size, GFP_KERNEL | __GFP_ZERO, node);
}
SLUB_INLINE int page_to_nid(const struct page *page) { return slub_page_to_nid((const struct slub_page *)page); }

#endif /* SLUBMALLOC_KERNEL_H */
