/* lib/maple_tree.c, which takes its nodes in bulk, with lib/test_maple_tree.c. */
#define CONFIG_DEBUG_MAPLE_TREE
#define CONFIG_MAPLE_SEARCH
#define MAPLE_32BIT (MAPLE_NODE_SLOTS > 31)
#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "linux/init.h"

#define module_init(x)
#define module_exit(x)
#define MODULE_AUTHOR(x)
#define MODULE_LICENSE(x)
#define dump_stack() ((void)0)
#define fallthrough __attribute__((__fallthrough__))

#include "../../../lib/maple_tree.c"
#undef CONFIG_DEBUG_MAPLE_TREE

/* What the tests ask of a cache that is made for them: how many objects it gives without waiting. Ours gives what there is. */
void kmem_cache_set_non_kernel(struct kmem_cache *cache, unsigned int count)
{
	(void)cache, (void)count;
}

unsigned int kmem_cache_nr_allocated(struct kmem_cache *cache)
{
	return slub_kmem_cache_used(cache);
}

unsigned long kmem_cache_get_alloc(struct kmem_cache *cache)
{
	return slub_kmem_cache_used(cache) * slub_kmem_cache_size(cache);
}

unsigned int kmem_cache_nr_tallocated(struct kmem_cache *cache)
{
	return slub_kmem_cache_used(cache);
}

void kmem_cache_zero_nr_tallocated(struct kmem_cache *cache)
{
	(void)cache;
}

#include "../../../lib/test_maple_tree.c"

int main(void)
{
	rcu_register_thread();
	maple_tree_init();
	maple_tree_seed();
	rcu_barrier();
	rcu_unregister_thread();
	if (slub_kmem_cache_used(maple_node_cache) || slub_kmem_cache_destroy(maple_node_cache))
		return 1;
	puts("ok");
	return 0;
}
