/* Pools whose elements are allocated and freed by functions, without a reserve: those of lib/btree.c have none. */
#ifndef SHIM_LINUX_MEMPOOL_H
#define SHIM_LINUX_MEMPOOL_H

#include <linux/bug.h>
#include <linux/slab.h>

typedef void *mempool_alloc_t(gfp_t flags, void *data);
typedef void mempool_free_t(void *element, void *data);

struct callback_pool {
	mempool_alloc_t *alloc;
	mempool_free_t *free;
	void *data;
};

#define mempool_t       struct callback_pool
#define mempool_alloc   callback_pool_alloc
#define mempool_free    callback_pool_free
#define mempool_destroy callback_pool_destroy

static inline mempool_t *mempool_create(int min, mempool_alloc_t *alloc, mempool_free_t *free, void *data)
{
	mempool_t *pool = kmalloc(sizeof(*pool), GFP_KERNEL);

	BUG_ON(min != 0);
	if (pool)
		*pool = (mempool_t){ alloc, free, data };
	return pool;
}

static inline void *mempool_alloc(mempool_t *pool, gfp_t flags)
{
	return pool->alloc(flags, pool->data);
}

static inline void mempool_free(void *element, mempool_t *pool)
{
	pool->free(element, pool->data);
}

static inline void mempool_destroy(mempool_t *pool)
{
	kfree(pool);
}

#endif
