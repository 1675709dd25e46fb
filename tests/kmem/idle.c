/* What a thread has at hand and does not use goes to other threads, and back to the system. */
#include "kmem.h"

#ifndef API
#include <malloc.h>
#endif

enum { LIMIT = 64, LARGE = 400 };

static struct slub_kmem_cache *cache;
static pthread_barrier_t before, after;
static unsigned at_a_time;

/* Uses objects, as many at once as asked, and waits. */
static void *works(void *nothing) {
    static void *objects[LARGE];
    (void)nothing;
    for (int round = 0; round < 3; round++) {
        unsigned count = 0;
        while (count < at_a_time && (objects[count] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL))) count++;
        CHECK_AT(count == at_a_time, (int)count);
        for (unsigned i = 0; i < count; i++) memset(objects[i], 1, slub_kmem_cache_size(cache));
        slub_kmem_cache_free_bulk(cache, count, objects);
        pthread_barrier_wait(&before);
        pthread_barrier_wait(&after);
    }
    return NULL;
}

static pthread_t begin(unsigned count) {
    pthread_t thread;
    at_a_time = count;
    CHECK(pthread_create(&thread, NULL, works, NULL) == 0);
    return thread;
}

static void a_limit_is_all_of_it(void) {
    struct slub_kmem_cache_args args = {.size = sizeof args, .limit = LIMIT};
    cache = slub_kmem_cache_create_args("limited", 100, &args, 0);
    CHECK(cache != NULL);
    pthread_t thread = begin(LIMIT);
    void *objects[LIMIT];
    for (int round = 0; round < 3; round++) {
        pthread_barrier_wait(&before);
        CHECK(slub_kmem_cache_used(cache) == 0);
        /* The thread has them at hand: what must not take long does without. */
        if (round == 1) {
            CHECK(REFUSED(ENOMEM, slub_kmem_cache_alloc(cache, SLUB_GFP_NOWAIT)));
            CHECK(REFUSED(ENOMEM, slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL | SLUB___GFP_NORETRY)));
            slub_kmem_cache_shrink(cache);
            void *object = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL | SLUB___GFP_NORETRY);
            CHECK(object != NULL);
            slub_kmem_cache_free(cache, object);
        }
        CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, LIMIT, objects) == LIMIT);
        CHECK(REFUSED(ENOMEM, slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL)));
        slub_kmem_cache_free_bulk(cache, LIMIT, objects);
        pthread_barrier_wait(&after);
    }
    CHECK(pthread_join(thread, NULL) == 0 && slub_kmem_cache_destroy(cache) == 0);
}

static void a_mempool_gets_them(void) {
    struct slub_kmem_cache_args args = {.size = sizeof args, .limit = LIMIT};
    cache = slub_kmem_cache_create_args("limited", 100, &args, 0);
    struct slub_mempool *pool = slub_mempool_create(1, cache);
    CHECK(cache != NULL && pool != NULL);
    pthread_t thread = begin(LIMIT - 1);
    void *objects[LIMIT];
    for (int round = 0; round < 3; round++) {
        pthread_barrier_wait(&before);
        for (int i = 0; i < LIMIT; i++) CHECK_AT((objects[i] = slub_mempool_alloc(pool, SLUB_GFP_KERNEL)) != NULL, i);
        for (int i = 0; i < LIMIT; i++) slub_mempool_free(objects[i], pool);
        pthread_barrier_wait(&after);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    /* A reserve of all of them. */
    thread = begin(LIMIT - 1);
    for (int round = 0; round < 3; round++) {
        pthread_barrier_wait(&before);
        CHECK(slub_mempool_resize(pool, LIMIT) == 0 && slub_mempool_resize(pool, 1) == 0);
        pthread_barrier_wait(&after);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(slub_mempool_destroy(pool) == 0 && slub_kmem_cache_destroy(cache) == 0);
}

/* Whether the memory of what a thread has at hand is gone after a while of `how`. */
static void memory_goes(void (*how)(void)) {
    struct slub_kmem_cache_args args = {.size = sizeof args, .sheaf_capacity = LARGE};
    cache = slub_kmem_cache_create_args("large", 16 << 10, &args, 0);
    long start = resident_kib();
    pthread_t thread = begin(LARGE);
    for (int round = 0; round < 3; round++) {
        pthread_barrier_wait(&before);
        int turns = 0;
        /* All of it but a page or two of each object that is not written to. */
        while (resident_kib() > start + 1500) {
            how();
            CHECK_AT(++turns < 2000, (int)(resident_kib() - start));
            usleep(10000);
        }
        pthread_barrier_wait(&after);
    }
    CHECK(pthread_join(thread, NULL) == 0 && slub_kmem_cache_destroy(cache) == 0);
}

static void trims(void) { malloc_trim(0); }
/* Goes on with something else. */
static void lives(void) {
    static void *blocks[1000];
    for (int i = 0; i < 1000; i++) CHECK((blocks[i] = malloc(1000)) != NULL);
    for (int i = 0; i < 1000; i++) free(blocks[i]);
}

int main(void) {
    malloc_is_ours();
    CHECK(pthread_barrier_init(&before, NULL, 2) == 0 && pthread_barrier_init(&after, NULL, 2) == 0);
    a_limit_is_all_of_it();
    a_mempool_gets_them();
    memory_goes(trims);
    memory_goes(lives);
    puts("ok");
    return 0;
}
