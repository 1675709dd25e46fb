/* Type-safe caches that come and go in four threads, which all end grace periods: no structure serves two caches. */
#include "kmem.h"
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 10000 };

static void *comes_and_goes(void *unused) {
    for (int round = 0; round < ROUNDS; round++) {
        struct slub_kmem_cache *cache = slub_kmem_cache_create("typed", 64, 0, SLUB_TYPESAFE_BY_RCU, NULL);
        CHECK(cache != NULL);
        /* One in two has no slab, and does not wait. */
        if (round % 2) {
            void *object = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
            CHECK(object != NULL);
            slub_kmem_cache_free(cache, object);
        }
        CHECK(slub_kmem_cache_destroy(cache) == 0);
        if (round % 2) CHECK(slub_rcu_end(slub_rcu_begin()) == 0);
    }
    return unused;
}

int main(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, comes_and_goes, NULL) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    return done();
}
