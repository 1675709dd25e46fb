/* Blocks of a released pool stay, are charged to the pools above, and take the memory with them when they go. */
#include "pool.h"

enum { COUNT = 20000 };

static unsigned char *blocks[COUNT];

static void *free_odd(void *argument) {
    for (int i = 1; i < COUNT; i += 2) {
        CHECK(blocks[i][0] == (unsigned char)i);
        free(blocks[i]);
    }
    return argument;
}

static void lives(unsigned flags) {
    struct slub_pool *above = pool_with("above", 0, NULL, 0);
    struct slub_pool *pool = pool_with("released", 0, above, flags);
    for (int i = 0; i < COUNT; i++) {
        size_t size = i % 500 == 0 ? 60 * KIB : 16 + (size_t)i % 700;
        blocks[i] = slub_pool_malloc(pool, size);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], i, 16);
    }
    size_t used = slub_pool_used(above);
    CHECK(slub_pool_release(pool) == 0);
    CHECK(slub_pool_used(above) <= used && slub_pool_used(above) >= COUNT * 16);
    /* They change their size as any block does; one that moves is malloc's then. */
    for (int i = 0; i < COUNT; i += 1000) {
        CHECK(slub_pool_of(blocks[i]) == above);
        blocks[i] = realloc(blocks[i], 200 * KIB);
        CHECK(blocks[i] != NULL && blocks[i][0] == (unsigned char)i);
    }
    slub_pool_free(above, blocks[2]);
    pthread_t thread;
    if (!(flags & SLUB_POOL_SINGLE_THREAD)) CHECK(pthread_create(&thread, NULL, free_odd, NULL) == 0);
    for (int i = 4; i < COUNT; i += 2) free(blocks[i]);
    free(blocks[0]);
    if (flags & SLUB_POOL_SINGLE_THREAD) free_odd(NULL);
    else CHECK(pthread_join(thread, NULL) == 0);
    CHECK(slub_pool_used(above) == 0);
    CHECK(slub_pool_destroy(above, 0) == 0);
}

int main(void) {
    malloc_is_ours();
    for (int round = 0; round < 20; round++) lives(round % 2 ? SLUB_POOL_SINGLE_THREAD : 0);
    long before = resident_kib();
    for (int round = 0; round < 20; round++) lives(round % 2 ? SLUB_POOL_SINGLE_THREAD : 0);
    malloc_trim(0);
    CHECK(resident_kib() <= before + 2048);
    /* Without a pool above, and without a block. */
    struct slub_pool *pool = slub_pool_create(NULL);
    void *block = slub_pool_malloc(pool, 100);
    CHECK(slub_pool_release(pool) == 0 && slub_pool_of(block) == NULL && malloc_usable_size(block) >= 100);
    free(block);
    CHECK(slub_pool_release(slub_pool_create(NULL)) == 0);
    puts("ok");
    return 0;
}
