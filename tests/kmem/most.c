/* As many caches and mempools as there can be, and one more. */
#include "kmem.h"

enum { MOST = 65535, POOLS = 10 };

static struct slub_kmem_cache *caches[MOST];

int main(int count, char **arguments) {
    malloc_is_ours();
    for (int i = 0; i < MOST - POOLS; i++) CHECK_AT((caches[i] = slub_kmem_cache_create("one of many", 64, 0, 0, NULL)) != NULL, i);
    struct slub_mempool *pools[POOLS];
    for (int i = 0; i < POOLS; i++) CHECK((pools[i] = slub_mempool_create(1, caches[0])) != NULL);
    CHECK(REFUSED(ENOMEM, slub_kmem_cache_create("too much", 64, 0, 0, NULL)));
    CHECK(REFUSED(ENOMEM, slub_mempool_create(1, caches[0])));
    if (count > 1) slub_kmem_cache_create("too much", 64, 0, SLUB_PANIC, NULL);
    (void)arguments;
    /* The last one is as good as any, and one that goes makes room for another. */
    struct slub_kmem_cache *last = caches[MOST - POOLS - 1];
    void *object = slub_kmem_cache_alloc(last, SLUB_GFP_KERNEL);
    CHECK(object != NULL && slub_kmem_cache_used(last) == 1);
    slub_kmem_cache_free(last, object);
    CHECK(slub_mempool_destroy(pools[0]) == 0);
    CHECK(slub_kmem_cache_create("room", 64, 0, 0, NULL) != NULL);
    CHECK(REFUSED(ENOMEM, slub_kmem_cache_create("too much", 64, 0, 0, NULL)));
    puts("ok");
    return 0;
}
