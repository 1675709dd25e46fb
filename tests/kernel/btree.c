/* lib/btree.c has no tests of its own: keys against an array that says what is there, in trees of each kind and of both kinds of pools. */
#include <linux/btree.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                             \
	do {                                                                         \
		if (!(condition)) {                                                  \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			exit(1);                                                     \
		}                                                                    \
	} while (0)

enum { KEYS = 4096, STEPS = 200000 };

static unsigned long values[KEYS];

/* A key's number, far apart and in no order. */
static u64 key_of(u32 index)
{
	return (u64)(index + 1) * 0x9e3779b97f4a7c15ULL;
}

static void visits(void *value, unsigned long opaque, u64 key, size_t index)
{
	u32 which = (unsigned long *)value - values;

	(void)index;
	CHECK(opaque == 7 && key == key_of(which) && values[which] == 1);
	values[which] = 2;
}

static size_t lives(struct btree_head64 *tree)
{
	static struct rnd_state rnd;
	size_t count = 0;
	int step, half;
	u32 i;

	for (i = 0; i < KEYS; i++)
		values[i] = 0;
	for (step = 0; step < STEPS; step++) {
		u32 index = prandom_u32_state(&rnd) % KEYS;
		void *value = &values[index];

		/* The tree grows in the first half and shrinks in the second. */
		half = prandom_u32_state(&rnd) % 4 != 0;
		CHECK(btree_lookup64(tree, key_of(index)) == (values[index] ? value : NULL));
		if (half == (step < STEPS / 2)) {
			if (values[index]) {
				CHECK(btree_update64(tree, key_of(index), value) == 0);
				continue;
			}
			CHECK(btree_insert64(tree, key_of(index), value, GFP_KERNEL) == 0);
			values[index] = 1;
			count++;
		} else {
			CHECK(btree_remove64(tree, key_of(index)) == (values[index] ? value : NULL));
			count -= values[index];
			values[index] = 0;
		}
	}
	return count;
}

/* From the largest to the smallest. */
static void is_in_order(struct btree_head64 *tree, size_t count)
{
	u64 key = 0, last = ~0ULL;
	void *value;

	btree_for_each_safe64(tree, key, value) {
		CHECK(key < last && key == key_of((unsigned long *)value - values));
		last = key;
		CHECK(count-- > 0);
	}
	CHECK(count == 0);
}

static void *from_pool(gfp_t flags, void *pool)
{
	return slub_mempool_alloc(pool, flags);
}

static void to_pool(void *element, void *pool)
{
	slub_mempool_free(element, pool);
}

int main(void)
{
	struct kmem_cache *cache = kmem_cache_create("btree_of_pool", 128, 0, SLAB_HWCACHE_ALIGN | SLAB_PANIC, NULL);
	struct slub_mempool *pool = mempool_create_slab_pool(3, cache);
	mempool_t of_pool = { from_pool, to_pool, pool };
	struct btree_head64 one, two;
	size_t count, more;
	u32 i;

	CHECK(pool != NULL && btree_init64(&one) == 0);
	btree_init_mempool64(&two, &of_pool);
	count = lives(&one);
	is_in_order(&one, count);
	CHECK(count > 100 && btree_visitor64(&one, 7, visits) == count);
	/* Nodes of one pool would go to the other, so no btree_merge(): each tree by itself. */
	btree_grim_visitor64(&one, 7, NULL);
	btree_destroy64(&one);

	more = lives(&two);
	is_in_order(&two, more);
	CHECK(slub_kmem_cache_used(cache) > more / 8);
	for (i = 0; i < KEYS; i++)
		if (values[i])
			CHECK(btree_remove64(&two, key_of(i)) == &values[i]);
	/* One node may stay at the root. */
	CHECK(btree_last64(&two, &(u64){ 0 }) == NULL);
	btree_grim_visitor64(&two, 7, NULL);
	CHECK(slub_mempool_destroy(pool) == 0 && slub_kmem_cache_used(cache) == 0);
	CHECK(slub_kmem_cache_destroy(cache) == 0);
	puts("ok");
	return 0;
}
