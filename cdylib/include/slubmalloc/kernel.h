/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The kernel's own names for what slubmalloc.h declares, so that code which was written for the kernel's allocators compiles with
 * this one include. Nothing includes it by itself: the names are short.
 *
 * Functions are macros with arguments: a member or variable of the same name is left alone, unless it is called. Where such a
 * function is called through a member, or its address is taken, write the name with slub_ in front. kmem_cache_create() takes the
 * five arguments that it had before Linux 6.12; for a structure of arguments there is slub_kmem_cache_create_args().
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

#define GFP_KERNEL         SLUB_GFP_KERNEL
#define GFP_KERNEL_ACCOUNT SLUB_GFP_KERNEL_ACCOUNT
#define GFP_ATOMIC         SLUB_GFP_ATOMIC
#define GFP_NOWAIT         SLUB_GFP_NOWAIT
#define GFP_NOIO           SLUB_GFP_NOIO
#define GFP_NOFS           SLUB_GFP_NOFS
#define GFP_USER           SLUB_GFP_USER
#define GFP_HIGHUSER       SLUB_GFP_HIGHUSER
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

#define kmem_cache_create(name, size, align, flags, ctor) slub_kmem_cache_create(name, size, align, flags, ctor)
#define kmem_cache_destroy(cache)                         ((void)slub_kmem_cache_destroy(cache))
#define kmem_cache_alloc(cache, flags)                    slub_kmem_cache_alloc(cache, flags)
#define kmem_cache_zalloc(cache, flags)                   slub_kmem_cache_zalloc(cache, flags)
#define kmem_cache_alloc_node(cache, flags, node)         slub_kmem_cache_alloc_node(cache, flags, node)
#define kmem_cache_free(cache, object)                    slub_kmem_cache_free(cache, object)
#define kmem_cache_alloc_bulk(cache, flags, count, objects) slub_kmem_cache_alloc_bulk(cache, flags, count, objects)
#define kmem_cache_free_bulk(cache, count, objects)       slub_kmem_cache_free_bulk(cache, count, objects)
#define kmem_cache_shrink(cache)                          slub_kmem_cache_shrink(cache)
#define kmem_cache_size(cache)                            slub_kmem_cache_size(cache)

#define slab_sheaf                                          slub_slab_sheaf
#define kmem_cache_prefill_sheaf(cache, flags, count)       slub_kmem_cache_prefill_sheaf(cache, flags, count)
#define kmem_cache_alloc_from_sheaf(cache, flags, sheaf)    slub_kmem_cache_alloc_from_sheaf(cache, flags, sheaf)
#define kmem_cache_refill_sheaf(cache, flags, sheaf, count) slub_kmem_cache_refill_sheaf(cache, flags, sheaf, count)
#define kmem_cache_return_sheaf(cache, flags, sheaf)        slub_kmem_cache_return_sheaf(cache, flags, sheaf)
#define kmem_cache_sheaf_size(sheaf)                        slub_kmem_cache_sheaf_size(sheaf)

/* Elements are objects of a cache. */
typedef struct slub_mempool mempool_t;
#define mempool_create_slab_pool(count, cache)              slub_mempool_create(count, cache)
#define mempool_alloc(pool, flags)                          slub_mempool_alloc(pool, flags)
#define mempool_free(element, pool)                         slub_mempool_free(element, pool)
#define mempool_resize(pool, count)                         slub_mempool_resize(pool, count)
#define mempool_destroy(pool)                               ((void)slub_mempool_destroy(pool))

/* A cache of a structure, with its name and alignment. */
#define KMEM_CACHE(type, flags) \
    slub_kmem_cache_create(#type, sizeof(struct type), __alignof__(struct type), flags, NULL)

#define ZERO_SIZE_PTR      SLUB_ZERO_SIZE_PTR
#define ZERO_OR_NULL_PTR(ptr) SLUB_ZERO_OR_NULL_PTR(ptr)

#define kmalloc(size, flags)              slub_kmalloc(size, flags)
#define kzalloc(size, flags)              slub_kzalloc(size, flags)
#define kmalloc_node(size, flags, node)   slub_kmalloc_node(size, flags, node)
#define kzalloc_node(size, flags, node)   slub_kmalloc_node(size, (flags) | SLUB___GFP_ZERO, node)
#define kmalloc_array(count, size, flags) slub_kmalloc_array(count, size, flags)
#define kcalloc(count, size, flags)       slub_kcalloc(count, size, flags)
#define krealloc(ptr, size, flags)        slub_krealloc(ptr, size, flags)
#define kfree(ptr)                        slub_kfree((void *)(ptr))
#define kfree_sensitive(ptr)              slub_kfree_sensitive((void *)(ptr))
#define ksize(ptr)                        slub_ksize(ptr)
#define kvmalloc(size, flags)             slub_kvmalloc(size, flags)
#define kvzalloc(size, flags)             slub_kvmalloc(size, (flags) | SLUB___GFP_ZERO)
#define kvmalloc_array(count, size, flags) slub_kmalloc_array(count, size, flags)
#define kvcalloc(count, size, flags)      slub_kcalloc(count, size, flags)
#define kvfree(ptr)                       slub_kvfree(ptr)
#define kstrdup(text, flags)              slub_kstrdup(text, flags)
#define kmemdup(source, length, flags)    slub_kmemdup(source, length, flags)
#define vmalloc(size)                     slub_vmalloc(size)
#define vzalloc(size)                     slub_vzalloc(size)
#define vfree(ptr)                        slub_vfree(ptr)

#define MAX_PAGE_ORDER SLUB_MAX_PAGE_ORDER

#define alloc_pages(flags, order)         ((struct page *)slub_alloc_pages(flags, order))
#define alloc_page(flags)                 alloc_pages(flags, 0)
#define __free_pages(handle, order)       slub___free_pages((struct slub_page *)(handle), order)
#define __free_page(handle)               __free_pages(handle, 0)
#define __get_free_pages(flags, order)    slub___get_free_pages(flags, order)
#define __get_free_page(flags)            slub___get_free_pages(flags, 0)
#define get_zeroed_page(flags)            slub_get_zeroed_page(flags)
#define free_pages(address, order)        slub_free_pages(address, order)
#define free_page(address)                slub_free_pages(address, 0)
#define alloc_pages_exact(size, flags)    slub_alloc_pages_exact(size, flags)
#define free_pages_exact(address, size)   slub_free_pages_exact(address, size)
#define page_address(handle)              slub_page_address((const struct slub_page *)(handle))
#define virt_to_page(address)             ((struct page *)slub_virt_to_page((const void *)(address)))
#define page_to_nid(handle)               slub_page_to_nid((const struct slub_page *)(handle))

#endif /* SLUBMALLOC_KERNEL_H */
