/* Objects of named caches, and blocks of kmalloc's, where the modes watch what malloc gives: SLUBMALLOC_CONF says which. */
#include <stdbool.h>

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

static bool is_on(const char *mode) {
    const char *configuration = getenv("SLUBMALLOC_CONF");
    return configuration != NULL && strstr(configuration, mode) != NULL;
}

/* What nobody clears while it is free is cleared when its memory is another's. */
static void leaves_nothing_behind(void) {
    enum { OBJECTS = 2000 };
    static unsigned char *objects[OBJECTS];
    for (int is_typesafe = 0; is_typesafe < 2; is_typesafe++) {
        struct slub_kmem_cache *cache =
            slub_kmem_cache_create("secret", 200, 0, is_typesafe ? SLUB_TYPESAFE_BY_RCU : 0, constructs);
        CHECK(cache != NULL);
        for (int i = 0; i < OBJECTS; i++) {
            CHECK(objects[i] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL));
            memset(objects[i], 's', 200);
        }
        for (int i = 0; i < OBJECTS; i++) slub_kmem_cache_free(cache, objects[i]);
        CHECK(slub_kmem_cache_destroy(cache) == 0);
        CHECK(slub_rcu_end(slub_rcu_begin()) == 0);
        for (size_t size = 1000; size < 60000; size += 500) {
            unsigned char *block = malloc(size);
            CHECK(block != NULL);
            for (size_t i = 0; i < size; i++) CHECK_AT(block[i] == 0, size);
            /* Not freed: each has other memory. */
        }
    }
}

/* The end of a cache is not the end of others' quarantine. */
static void ends_its_own_quarantine(void) {
    void *volatile resting = malloc(100);
    uintptr_t address = (uintptr_t)resting;
    free(resting);
    struct slub_kmem_cache *cache = slub_kmem_cache_create("other", 100, 0, 0, NULL);
    CHECK(cache != NULL);
    slub_kmem_cache_free(cache, slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL));
    CHECK(slub_kmem_cache_used(cache) == 0 && slub_kmem_cache_destroy(cache) == 0);
    for (int i = 0; i < 1000; i++) CHECK((uintptr_t)malloc(100) != address);
}

int main(void) {
    red_zones();
    kept();
    aligned();
    if (is_on("zero:free")) leaves_nothing_behind();
    if (is_on("quarantine")) ends_its_own_quarantine();
    return done();
}
