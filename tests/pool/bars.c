/* A pair of allocation and free of a pool beside malloc's, the end of a pool beside freeing one by one, and a short life. */
#include "pool.h"
#include "../kmem/timing.h"

enum { PAIRS = 500000, MANY = 1000000, LIVES = 5000 };

static void *blocks[MANY];

static void fill(struct slub_pool *pool) {
    for (int i = 0; i < MANY; i++) {
        blocks[i] = slub_pool_malloc(pool, 64);
        *(char *)blocks[i] = 1;
    }
}

int main(int count, char **arguments) {
    malloc_is_ours();
    double bar = count > 1 ? atof(arguments[1]) : 1.0, share = count > 2 ? atof(arguments[2]) : 0.02;
    for (unsigned flags = 0; flags < 2; flags++) {
        struct slub_pool *pool = pool_with("pair", 0, NULL, flags);
        double of_malloc = 1e18, of_pool = 1e18;
        for (int round = 0; round < 20; round++) {
            double start = now();
            for (long i = 0; i < PAIRS; i++) {
                void *block = malloc(64);
                __asm__ volatile("" : : "r"(block) : "memory");
                free(block);
            }
            double middle = now();
            for (long i = 0; i < PAIRS; i++) {
                void *block = slub_pool_malloc(pool, 64);
                __asm__ volatile("" : : "r"(block) : "memory");
                slub_pool_free(pool, block);
            }
            of_malloc = less(of_malloc, middle - start);
            of_pool = less(of_pool, now() - middle);
        }
        double ratio = of_pool / of_malloc;
        fprintf(stderr, "%s: malloc %.3f ns, pool %.3f ns, ratio %.3f\n", flags ? "one thread" : "threads",
                of_malloc / PAIRS, of_pool / PAIRS, ratio);
        if (flags & SLUB_POOL_SINGLE_THREAD) CHECK(ratio <= bar);

        double one_by_one = 1e18, at_once = 1e18;
        for (int round = 0; round < 3; round++) {
            fill(pool);
            double start = now();
            for (int i = 0; i < MANY; i++) slub_pool_free(pool, blocks[i]);
            one_by_one = less(one_by_one, now() - start);
            fill(pool);
            start = now();
            CHECK(slub_pool_reset(pool, 0) == 0);
            at_once = less(at_once, now() - start);
        }
        fprintf(stderr, "%d blocks: one by one %.0f us, at once %.0f us, %.2f %%\n", MANY, one_by_one / 1e3,
                at_once / 1e3, 100 * at_once / one_by_one);
        CHECK(at_once <= one_by_one * share);
        CHECK(slub_pool_destroy(pool, 0) == 0);

        double life = 1e18;
        struct slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
        options.flags = flags;
        for (int round = 0; round < 5; round++) {
            double start = now();
            for (int i = 0; i < LIVES; i++) {
                struct slub_pool *short_lived = slub_pool_create(&options);
                for (size_t size = 16; size <= 160; size += 16) slub_pool_malloc(short_lived, size);
                slub_pool_destroy(short_lived, 0);
            }
            life = less(life, now() - start);
        }
        fprintf(stderr, "create, ten allocations of ten sizes, destroy: %.0f ns\n", life / LIVES);
        life = 1e18;
        for (int round = 0; round < 5; round++) {
            double start = now();
            for (int i = 0; i < LIVES; i++) {
                struct slub_pool *short_lived = slub_pool_create(&options);
                for (int k = 0; k < 10; k++) slub_pool_malloc(short_lived, 64);
                slub_pool_destroy(short_lived, 0);
            }
            life = less(life, now() - start);
        }
        fprintf(stderr, "create, ten allocations of one size, destroy: %.0f ns\n", life / LIVES);
    }
    puts("ok");
    return 0;
}
