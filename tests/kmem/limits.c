/* A limit is exact for one thread, bulk allocation is all or nothing, and no failure is what must not fail. */
#include "kmem.h"

int main(void) {
    malloc_is_ours();
    static void *objects[4000];
    struct slub_kmem_cache_args args = {.size = sizeof args, .limit = 1000};
    struct slub_kmem_cache *cache = slub_kmem_cache_create_args("limited", 80, &args, 0);
    for (int round = 0; round < 3; round++) {
        int count = 0;
        while ((objects[count] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL))) count++;
        CHECK_AT(errno == ENOMEM && count == 1000, count);
        slub_kmem_cache_free(cache, objects[--count]);
        CHECK((objects[count] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL)) != NULL);
        CHECK(REFUSED(ENOMEM, slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL)));
        /* Passes limits. */
        void *past = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL | SLUB___GFP_NOFAIL);
        CHECK(past != NULL && slub_kmem_cache_used(cache) == 1001);
        slub_kmem_cache_free(cache, past);
        slub_kmem_cache_free_bulk(cache, 1000, objects);
        CHECK(slub_kmem_cache_used(cache) == 0);
        /* The one that passed the limit goes. */
        slub_kmem_cache_shrink(cache);
    }
    /* All or nothing. */
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 1000, objects) == 1000);
    for (int i = 0; i < 1000; i++) memset(objects[i], i, 80);
    for (int i = 0; i < 1000; i++) CHECK(*(unsigned char *)objects[i] == (unsigned char)i);
    slub_kmem_cache_free_bulk(cache, 1000, objects);
    errno = 0;
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 1001, objects) == 0 && errno == ENOMEM);
    CHECK(slub_kmem_cache_used(cache) == 0);
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 0, objects) == 0);
    slub_kmem_cache_free_bulk(cache, 0, NULL);
    slub_kmem_cache_set_limit(cache, (size_t)-1);
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 4000, objects) == 4000);
    slub_kmem_cache_set_limit(cache, 10);
    slub_kmem_cache_free_bulk(cache, 4000, objects);
    slub_kmem_cache_shrink(cache);
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 11, objects) == 0);
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 10, objects) == 10);
    slub_kmem_cache_free_bulk(cache, 10, objects);
    /* What is at hand goes with the limit, of which nothing is in use. */
    slub_kmem_cache_set_limit(cache, 2000);
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 2000, objects) == 2000);
    slub_kmem_cache_free_bulk(cache, 2000, objects);
    CHECK(slub_kmem_cache_set_limit(cache, 7) == 0);
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 8, objects) == 0);
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 7, objects) == 7);
    slub_kmem_cache_free_bulk(cache, 7, objects);
    CHECK(slub_kmem_cache_destroy(cache) == 0);
    puts("ok");
    return 0;
}
