/* Objects of a cache are whole, aligned and apart, and malloc's functions know them. */
#include "kmem.h"

#define COUNT 3000

static void *objects[COUNT];

static void objects_of(unsigned size, unsigned align, unsigned flags) {
    struct slub_kmem_cache *cache = slub_kmem_cache_create("objects", size, align, flags, NULL);
    CHECK_AT(cache != NULL, size);
    unsigned known = slub_kmem_cache_alignment(cache);
    CHECK(slub_kmem_cache_size(cache) == size && known >= 16 && known >= align);
    size_t count = size > 4096 ? 100 : COUNT;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < count; i++) {
            objects[i] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
            CHECK_AT(objects[i] != NULL && (uintptr_t)objects[i] % known == 0, i);
            memset(objects[i], (int)(i % 251), size);
        }
        CHECK(slub_kmem_cache_used(cache) == count);
        for (size_t i = 0; i < count; i++) {
            const unsigned char *bytes = objects[i];
            for (unsigned at = 0; at < size; at++) CHECK_AT(bytes[at] == i % 251, i);
        }
        for (size_t i = 0; i < count; i++) {
            size_t which = round == 1 ? count - 1 - i : i;
            slub_kmem_cache_free(cache, objects[which]);
        }
        CHECK(slub_kmem_cache_used(cache) == 0);
    }
    CHECK(slub_kmem_cache_destroy(cache) == 0);
}

static void malloc_knows_them(void) {
    struct slub_kmem_cache *cache = plain("known to malloc", 100);
    char *object = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
    CHECK(malloc_usable_size(object) == 100);
    strcpy(object, "content");
    CHECK((object = realloc(object, 100)) != NULL && strcmp(object, "content") == 0);
    char *moved = realloc(object, 5000);
    CHECK(moved != NULL && strcmp(moved, "content") == 0);
    free(moved);
    CHECK(slub_kmem_cache_used(cache) == 0);
    for (int i = 0; i < COUNT; i++) CHECK((objects[i] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL)) != NULL);
    errno = 77;
    for (int i = 0; i < COUNT; i++) free(objects[i]);
    slub_kmem_cache_free(cache, NULL);
    CHECK(errno == 77 && slub_kmem_cache_used(cache) == 0);
    CHECK(slub_kmem_cache_destroy(cache) == 0);
}

static void names_are_copied(void) {
    char name[300];
    memset(name, 'n', sizeof name);
    name[255] = 0;
    struct slub_kmem_cache *cache = plain(name, 8);
    name[0] = 'x';
    CHECK(strlen(slub_kmem_cache_name(cache)) == 255 && slub_kmem_cache_name(cache)[0] == 'n');
    CHECK(slub_kmem_cache_destroy(cache) == 0);
    CHECK(slub_kmem_cache_destroy(NULL) == 0);
}

static void shrinking_gives_pages_back(void) {
    struct slub_kmem_cache *cache = plain("shrunk", 4096);
    static void *pages[4000];
    for (int i = 0; i < 4000; i++) memset(pages[i] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL), 1, 4096);
    slub_kmem_cache_free_bulk(cache, 4000, pages);
    /* What type-safe caches have left. */
    CHECK(slub_rcu_end(slub_rcu_begin()) == 0);
    CHECK(slub_kmem_cache_shrink(cache) == 0 && slub_kmem_cache_used(cache) == 0);
    malloc_trim(0);
    CHECK(resident_kib() < 10000);
    CHECK(slub_kmem_cache_destroy(cache) == 0);
}

int main(void) {
    malloc_is_ours();
    static const unsigned sizes[] = {1, 8, 16, 24, 64, 100, 192, 272, 520, 1000, 1024, 3000, 8192, 40000, 49152};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        objects_of(sizes[i], 0, 0);
        objects_of(sizes[i], 0, SLUB_HWCACHE_ALIGN);
        objects_of(sizes[i], 256, 0);
        /* With all checks there is less room. */
        if (sizes[i] < 49000) {
            unsigned checks = SLUB_CONSISTENCY_CHECKS | SLUB_RED_ZONE | SLUB_POISON | SLUB_STORE_USER;
            objects_of(sizes[i], 0, checks);
            objects_of(sizes[i], 64, checks & ~SLUB_STORE_USER);
            objects_of(sizes[i], 0, SLUB_RED_ZONE | SLUB_TYPESAFE_BY_RCU);
        }
    }
    objects_of(100, 4096, 0);
    malloc_knows_them();
    names_are_copied();
    shrinking_gives_pages_back();
    struct slub_kmem_cache *stays = plain("stays here", 120);
    for (int i = 0; i < 3; i++) CHECK(slub_kmem_cache_alloc(stays, SLUB_GFP_KERNEL) != NULL);
    puts("ok");
    return 0;
}
