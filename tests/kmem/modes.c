/* Objects of named caches, and blocks of kmalloc's, where the modes watch what malloc gives: SLUBMALLOC_CONF says which. */
#include "kmem.h"

static void constructs(void *object) { memset(object, 7, 200); }

static void red_zones(void) {
    struct slub_kmem_cache *cache = slub_kmem_cache_create("zones", 60, 0, SLUB_RED_ZONE | SLUB_STORE_USER, NULL);
    CHECK(cache != NULL);
    for (size_t size = 1; size < 400; size += 13) {
        unsigned char *object = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
        CHECK(object != NULL && malloc_usable_size(object) == 60);
        memset(object, 'a', 60);
        unsigned char *moved = realloc(object, size);
        CHECK(moved != NULL);
        for (size_t i = 0; i < 60 && i < size; i++) CHECK_AT(moved[i] == 'a', i);
        memset(moved, 'b', size);
        free(moved);
    }
    CHECK(slub_kmem_cache_destroy(cache) == 0);
}

static void kept(void) {
    struct slub_kmem_cache *cache = slub_kmem_cache_create("kept", 200, 0, 0, constructs);
    CHECK(cache != NULL);
    for (int round = 0; round < 50; round++) {
        unsigned char *object = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
        CHECK(object != NULL);
        for (int i = 0; i < 200; i++) CHECK_AT(object[i] == 7, i);
        unsigned char *moved = round % 2 ? realloc(object, 150) : realloc(object, 300);
        CHECK(moved != NULL && moved != object && moved[149] == 7);
        /* However it is freed, it stays as it was. */
        unsigned char *again = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
        round % 3 ? slub_kmem_cache_free(cache, again) : free(again);
        for (int i = 0; i < 200; i++) CHECK_AT(again[i] == 7, i);
        free(moved);
    }
    CHECK(slub_kmem_cache_destroy(cache) == 0);
}

static void aligned(void) {
    for (size_t size = 16; size <= 1 << 20; size *= 2) {
        void *block = slub_kmalloc(size, SLUB_GFP_KERNEL), *pages = slub_vzalloc(size + 1);
        CHECK_AT(block != NULL && (uintptr_t)block % size == 0, size);
        CHECK_AT(pages != NULL && (uintptr_t)pages % 4096 == 0, size);
        slub_kfree(block);
        slub_vfree(pages);
    }
}

int main(void) {
    red_zones();
    kept();
    aligned();
    return done();
}
