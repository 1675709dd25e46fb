/* A pair of allocation and free of a cache beside malloc's, and a constructor beside constructing each time. */
#include "kmem.h"
#include "timing.h"

#define PAIRS 2000000

static void spin(void *object) {
    double start = now();
    *(volatile char *)object = 1;
    while (now() < start + 1000) {}
}

int main(int count, char **arguments) {
    malloc_is_ours();
    double bar = count > 1 ? atof(arguments[1]) : 1.05;
    struct slub_kmem_cache *cache = plain("sixty-four", 64);
    double of_malloc = 1e18, of_cache = 1e18;
    for (int round = 0; round < 40; round++) {
        double start = now();
        for (long i = 0; i < PAIRS; i++) {
            void *block = malloc(64);
            __asm__ volatile("" : : "r"(block) : "memory");
            free(block);
        }
        double middle = now();
        for (long i = 0; i < PAIRS; i++) {
            void *object = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
            __asm__ volatile("" : : "r"(object) : "memory");
            slub_kmem_cache_free(cache, object);
        }
        of_malloc = less(of_malloc, middle - start);
        of_cache = less(of_cache, now() - middle);
    }
    fprintf(stderr, "malloc %.3f ns, cache %.3f ns, ratio %.3f\n", of_malloc / PAIRS, of_cache / PAIRS,
            of_cache / of_malloc);
    CHECK(of_cache <= of_malloc * bar);

    struct slub_kmem_cache *constructed = slub_kmem_cache_create("constructed", 64, 0, 0, spin);
    enum { TURNS = 20000 };
    double start = now();
    for (int i = 0; i < TURNS; i++) {
        void *object = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
        spin(object);
        slub_kmem_cache_free(cache, object);
    }
    double middle = now();
    for (int i = 0; i < TURNS; i++)
        slub_kmem_cache_free(constructed, slub_kmem_cache_alloc(constructed, SLUB_GFP_KERNEL));
    double gain = (middle - start) / (now() - middle);
    fprintf(stderr, "a constructor of 1 us: %.0f times faster\n", gain);
    CHECK(gain >= 20);
    puts("ok");
    return 0;
}
