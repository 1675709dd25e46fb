/* One misuse by name. */
#include "kmem.h"

static void *object;

int main(int count, char **arguments) {
    /* Guarded blocks are of no node. */
    if (getenv("SLUBMALLOC_CONF") == NULL) malloc_is_ours();
    CHECK(count == 2);
    struct slub_kmem_cache *one = plain("one", 64), *two = plain("two", 64);
    object = slub_kmem_cache_alloc(one, SLUB_GFP_KERNEL);
    const char *what = arguments[1];
    if (!strcmp(what, "wrong-cache")) {
        slub_kmem_cache_free(two, object);
    } else if (!strcmp(what, "no-cache")) {
        slub_kmem_cache_free(two, malloc(64));
    } else if (!strcmp(what, "huge")) {
        slub_kmem_cache_free(two, malloc(20 << 20));
    } else if (!strcmp(what, "nowhere")) {
        slub_kmem_cache_free(two, &count);
    } else if (!strcmp(what, "wrong-sheaf")) {
        struct slub_slab_sheaf *sheaf = slub_kmem_cache_prefill_sheaf(one, SLUB_GFP_KERNEL, 5);
        slub_kmem_cache_return_sheaf(two, 0, sheaf);
        CHECK(slub_kmem_cache_sheaf_size(sheaf) == 5 && slub_kmem_cache_used(one) == 6);
        slub_kmem_cache_return_sheaf(one, 0, sheaf);
        CHECK(slub_kmem_cache_used(one) == 1);
    } else if (!strcmp(what, "sheaf-of-other")) {
        struct slub_slab_sheaf *sheaf = slub_kmem_cache_prefill_sheaf(one, SLUB_GFP_KERNEL, 5);
        CHECK(REFUSED(EINVAL, slub_kmem_cache_alloc_from_sheaf(two, SLUB_GFP_KERNEL, sheaf)));
        CHECK(slub_kmem_cache_sheaf_size(sheaf) == 5);
    } else if (!strcmp(what, "sheaf-twice")) {
        struct slub_slab_sheaf *sheaf = slub_kmem_cache_prefill_sheaf(one, SLUB_GFP_KERNEL, 5);
        slub_kmem_cache_return_sheaf(one, 0, sheaf);
        struct slub_slab_sheaf *next = slub_kmem_cache_prefill_sheaf(one, SLUB_GFP_KERNEL, 5);
        slub_kmem_cache_return_sheaf(one, 0, sheaf);
        CHECK(slub_kmem_cache_sheaf_size(next) == 5);
    } else if (!strcmp(what, "no-sheaf")) {
        slub_kmem_cache_return_sheaf(one, 0, (struct slub_slab_sheaf *)one);
    } else if (!strcmp(what, "no-mempool")) {
        slub_mempool_free(object, (struct slub_mempool *)one);
        CHECK(slub_kmem_cache_used(one) == 1);
        CHECK(REFUSED(EINVAL, slub_mempool_alloc((struct slub_mempool *)one, SLUB_GFP_KERNEL)));
    } else if (!strcmp(what, "mempool-no-cache")) {
        struct slub_kmem_cache *pool = (struct slub_kmem_cache *)slub_mempool_create(2, two);
        /* Its reserve is not to be emptied, limited or handed out as one. */
        CHECK(slub_kmem_cache_destroy(pool) == -1 && errno == EINVAL);
        errno = 0;
        CHECK(slub_kmem_cache_set_limit(pool, 1) == -1 && errno == EINVAL);
        CHECK(REFUSED(EINVAL, slub_kmem_cache_alloc(pool, SLUB_GFP_KERNEL)));
        CHECK(REFUSED(EINVAL, slub_kmem_cache_prefill_sheaf(pool, SLUB_GFP_KERNEL, 1)));
        CHECK(REFUSED(EINVAL, slub_mempool_create(1, pool)));
        CHECK(slub_mempool_destroy((struct slub_mempool *)pool) == 0);
    } else if (!strcmp(what, "interior")) {
        slub_kmem_cache_free(one, (char *)object + 16);
    } else if (!strcmp(what, "interior-free")) {
        free((char *)object + 16);
    } else if (!strcmp(what, "twice")) {
        slub_kmem_cache_free(one, object);
        slub_kmem_cache_free(one, object);
    } else if (!strcmp(what, "twice-free")) {
        free(object);
        free(object);
    } else if (!strcmp(what, "twice-far")) {
        void *others[3000];
        CHECK(slub_kmem_cache_alloc_bulk(one, SLUB_GFP_KERNEL, 3000, others) == 3000);
        slub_kmem_cache_free(one, object);
        slub_kmem_cache_free(one, others[0]);
        slub_kmem_cache_free(one, others[1]);
        slub_kmem_cache_free(one, object);
        slub_kmem_cache_free_bulk(one, 2998, others + 2);
        slub_kmem_cache_destroy(one);
    } else if (!strcmp(what, "destroyed")) {
        slub_kmem_cache_destroy(two);
        CHECK(slub_kmem_cache_alloc(two, SLUB_GFP_KERNEL) == NULL);
    } else if (!strcmp(what, "destroyed-twice")) {
        slub_kmem_cache_destroy(two);
        CHECK(slub_kmem_cache_destroy(two) == -1);
    } else if (!strcmp(what, "destroyed-free")) {
        slub_kmem_cache_destroy(two);
        slub_kmem_cache_free(two, object);
    } else if (!strcmp(what, "in-use")) {
        void *more[6];
        CHECK(slub_kmem_cache_alloc_bulk(one, SLUB_GFP_KERNEL, 6, more) == 6);
        errno = 0;
        CHECK(slub_kmem_cache_destroy(one) == -1 && errno == EBUSY);
        memset(object, 1, 64);
        slub_kmem_cache_free(one, object);
        slub_kmem_cache_free_bulk(one, 6, more);
        CHECK(slub_kmem_cache_destroy(one) == 0);
    } else if (!strcmp(what, "beyond") || !strcmp(what, "beyond-late")) {
        struct slub_kmem_cache *zoned = slub_kmem_cache_create("zoned", 60, 0, SLUB_RED_ZONE | SLUB_STORE_USER, NULL);
        char *bytes = slub_kmem_cache_alloc(zoned, SLUB_GFP_KERNEL);
        if (!strcmp(what, "beyond")) bytes[62] = 'A';
        slub_kmem_cache_free(zoned, bytes);
        if (!strcmp(what, "beyond-late")) bytes[60] = 'A';
        for (int i = 0; i < 2000; i++) CHECK(slub_kmem_cache_alloc(zoned, SLUB_GFP_KERNEL) != NULL);
    } else if (!strcmp(what, "after-free")) {
        struct slub_kmem_cache *poisoned = slub_kmem_cache_create("poisoned", 60, 0, SLUB_POISON, NULL);
        char *bytes = slub_kmem_cache_alloc(poisoned, SLUB_GFP_KERNEL);
        CHECK(bytes[0] == 0x5a && bytes[59] == 0x5a);
        slub_kmem_cache_free(poisoned, bytes);
        CHECK((unsigned char)bytes[0] == 0x6b && (unsigned char)bytes[59] == 0xa5);
        bytes[7] = 'A';
        for (int i = 0; i < 2000; i++) CHECK(slub_kmem_cache_alloc(poisoned, SLUB_GFP_KERNEL) != NULL);
    } else if (!strcmp(what, "twice-checked")) {
        struct slub_kmem_cache *checked = slub_kmem_cache_create("checked", 60, 0, SLUB_CONSISTENCY_CHECKS, NULL);
        void *first = slub_kmem_cache_alloc(checked, SLUB_GFP_KERNEL), *others[9];
        CHECK(slub_kmem_cache_alloc_bulk(checked, SLUB_GFP_KERNEL, 9, others) == 9);
        slub_kmem_cache_free(checked, first);
        slub_kmem_cache_free_bulk(checked, 8, others);
        slub_kmem_cache_free(checked, first);
    } else if (!strcmp(what, "in-use-by")) {
        struct slub_kmem_cache *stored = slub_kmem_cache_create("stored", 60, 0, SLUB_STORE_USER, NULL);
        void *kept = slub_kmem_cache_alloc(stored, SLUB_GFP_KERNEL);
        CHECK(slub_kmem_cache_destroy(stored) == -1);
        free(kept);
        CHECK(slub_kmem_cache_destroy(stored) == 0);
    } else if (!strcmp(what, "unknown-flags")) {
        CHECK(REFUSED(EINVAL, slub_kmem_cache_create("name\n", 64, 0, 0x11, NULL)));
    } else if (!strcmp(what, "wrong-order")) {
        slub_free_pages(slub___get_free_pages(SLUB_GFP_KERNEL, 3), 5);
    } else if (!strcmp(what, "smaller-order")) {
        slub_free_pages(slub___get_free_pages(SLUB_GFP_KERNEL, 3), 2);
    } else if (!strcmp(what, "fewer-pages")) {
        slub_free_pages_exact(slub_alloc_pages_exact(300000, SLUB_GFP_KERNEL), 40000);
    } else if (!strcmp(what, "kfree-twice")) {
        void *block = slub_kmalloc(100, SLUB_GFP_KERNEL);
        slub_kfree(block);
        slub_kfree(block);
    } else if (!strcmp(what, "mode-beyond")) {
        char *bytes = slub_kmem_cache_alloc(two, SLUB_GFP_KERNEL);
        bytes[64] = 'A';
        slub_kmem_cache_free(two, bytes);
    } else if (!strcmp(what, "mode-guard")) {
        char *bytes = slub_kmem_cache_alloc(two, SLUB_GFP_KERNEL);
        CHECK(malloc_usable_size(bytes) == 64 && slub_kmem_cache_used(two) == 1);
        free(bytes);
        CHECK(slub_kmem_cache_used(two) == 0);
        bytes = slub_kmem_cache_alloc(two, SLUB_GFP_KERNEL);
        ((volatile char *)bytes)[64] = 'A';
    } else if (!strcmp(what, "mode-rest")) {
        slub_kmem_cache_set_limit(two, 10);
        for (int i = 0; i < 100; i++) {
            char *bytes = slub_kmem_cache_alloc(two, SLUB_GFP_KERNEL);
            CHECK_AT(bytes != NULL && bytes[63] == 0, i);
            memset(bytes, 1, 64);
            slub_kmem_cache_free(two, bytes);
        }
        CHECK(slub_kmem_cache_used(two) == 0 && slub_kmem_cache_destroy(two) == 0);
        slub_kmem_cache_free(one, object);
        slub_kmem_cache_free(one, object);
    } else if (!strcmp(what, "panic")) {
        slub_kmem_cache_create("must be", 0, 0, SLUB_PANIC, NULL);
    }
    puts("ok");
    return 0;
}
