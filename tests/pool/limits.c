/* Limits are exact for a pool, hold for all pools below one, and leave nothing behind. */
#include "pool.h"

static void one_pool(unsigned flags) {
    enum { LIMIT = 1 << 20, SIZE = 64 };
    static void *blocks[LIMIT / SIZE + 1];
    struct slub_pool *pool = pool_with("limited", LIMIT, NULL, flags);
    for (int round = 0; round < 3; round++) {
        int count = 0;
        while ((blocks[count] = slub_pool_malloc(pool, SIZE)) != NULL) count++;
        CHECK(errno == ENOMEM && count == LIMIT / SIZE);
        CHECK(slub_pool_used(pool) == LIMIT);
        CHECK(REFUSED(ENOMEM, slub_pool_malloc(pool, 1)));
        CHECK(REFUSED(ENOMEM, slub_pool_malloc(pool, 100 * KIB)));
        CHECK(REFUSED(ENOMEM, slub_pool_realloc(pool, blocks[0], 200)));
        /* What is free serves any size. */
        for (int i = 0; i < 4; i++) slub_pool_free(pool, blocks[i * 1000]);
        void *other = slub_pool_malloc(pool, 4 * SIZE);
        CHECK(other != NULL && slub_pool_used(pool) == LIMIT);
        slub_pool_free(pool, other);
        if (round == 1) {
            CHECK(slub_pool_reset(pool, 0) == 0);
        } else {
            for (int i = 0; i < count; i++)
                if (i % 1000 != 0 || i > 3000) slub_pool_free(pool, blocks[i]);
        }
        CHECK(slub_pool_used(pool) == 0);
    }
    /* One block takes all of it, and a page more does not fit. */
    CHECK(REFUSED(ENOMEM, slub_pool_malloc(pool, LIMIT + 1)));
    void *whole = slub_pool_malloc(pool, LIMIT);
    CHECK(whole != NULL && slub_pool_used(pool) == LIMIT);
    CHECK(REFUSED(ENOMEM, slub_pool_realloc(pool, whole, LIMIT + 4096)));
    CHECK(slub_pool_set_limit(pool, 3 * LIMIT) == 0);
    whole = slub_pool_realloc(pool, whole, LIMIT + 4096);
    CHECK(whole != NULL && slub_pool_used(pool) == LIMIT + 4096);
    CHECK(slub_pool_set_limit(pool, 1000) == 0);
    CHECK(REFUSED(ENOMEM, slub_pool_malloc(pool, 1)));
    slub_pool_free(pool, whole);
    CHECK(slub_pool_malloc(pool, 1) != NULL);
    CHECK(slub_pool_set_limit(pool, 0) == 0);
    CHECK(slub_pool_malloc(pool, 10 * LIMIT) != NULL);
    CHECK(slub_pool_destroy(pool, 0) == 0);
}

static void parents(void) {
    struct slub_pool *top = pool_with("top", 1 << 20, NULL, 0);
    struct slub_pool *middle = pool_with("middle", 0, top, 0);
    struct slub_pool *low = pool_with("low", 768 * KIB, middle, SLUB_POOL_SINGLE_THREAD);
    struct slub_pool *beside = pool_with("beside", 0, top, 0);
    void *first = slub_pool_malloc(low, 700 * KIB);
    CHECK(first != NULL);
    CHECK(REFUSED(ENOMEM, slub_pool_malloc(low, 100 * KIB)));
    CHECK(REFUSED(ENOMEM, slub_pool_malloc(beside, 400 * KIB)));
    CHECK(REFUSED(ENOMEM, slub_pool_malloc(top, 400 * KIB)));
    void *second = slub_pool_malloc(beside, 200 * KIB);
    CHECK(second != NULL);
    CHECK(slub_pool_used(top) == 900 * KIB && slub_pool_used(middle) == 700 * KIB);
    CHECK(slub_pool_used(low) == 700 * KIB && slub_pool_used(beside) == 200 * KIB);
    /* The one in the middle ends; those above and below it stay bound to each other. */
    CHECK(slub_pool_destroy(middle, 0) == 0);
    CHECK(slub_pool_used(top) == 900 * KIB);
    CHECK(REFUSED(ENOMEM, slub_pool_malloc(low, 64 * KIB + 4096 * 16)));
    slub_pool_free(beside, second);
    CHECK(slub_pool_malloc(low, 64 * KIB) != NULL);
    CHECK(slub_pool_reset(low, 0) == 0);
    CHECK(slub_pool_used(top) == 0);
    CHECK(slub_pool_destroy(top, 0) == 0);
    /* Nothing limits it but itself now. */
    CHECK(slub_pool_malloc(low, 768 * KIB) != NULL);
    CHECK(slub_pool_malloc(beside, 8 * MIB) != NULL);
    CHECK(slub_pool_destroy(low, 0) == 0 && slub_pool_destroy(beside, 0) == 0);
}

enum { THREADS = 16, POOLS = 100, LIMIT = 16 << 20, EACH = 4 };

static struct slub_pool *pools[POOLS];

static void *press(void *argument) {
    unsigned state = (unsigned)(uintptr_t)argument;
    long refused = 0;
    for (int i = 0; i < POOLS * EACH; i++) {
        struct slub_pool *pool = pools[next_random(&state) % POOLS];
        for (;;) {
            size_t size = next_random(&state) % 8 ? next_random(&state) % 60000 : next_random(&state) % (2 * MIB);
            if (slub_pool_malloc(pool, size) == NULL) {
                CHECK(errno == ENOMEM);
                refused++;
                if (size < 4096) break;
            }
        }
        CHECK(slub_pool_used(pool) <= LIMIT);
    }
    return (void *)refused;
}

static void many_threads(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < POOLS; i++) pools[i] = pool_with("pressed", LIMIT, NULL, 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, press, (void *)(uintptr_t)(i + 1)) == 0);
    for (int i = 0; i < THREADS; i++) {
        void *refused;
        CHECK(pthread_join(threads[i], &refused) == 0 && refused != NULL);
    }
    for (int i = 0; i < POOLS; i++) {
        CHECK(slub_pool_used(pools[i]) <= LIMIT);
        CHECK(slub_pool_reset(pools[i], 0) == 0 && slub_pool_used(pools[i]) == 0);
        CHECK(slub_pool_malloc(pools[i], LIMIT) != NULL);
        CHECK(slub_pool_destroy(pools[i], 0) == 0);
    }
}

int main(void) {
    malloc_is_ours();
    one_pool(0);
    one_pool(SLUB_POOL_SINGLE_THREAD);
    parents();
    many_threads();
    puts("ok");
    return 0;
}
