/* One misuse by name. */
#include "kmem.h"

static void *object;

int main(int count, char **arguments) {
    malloc_is_ours();
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
    } else if (!strcmp(what, "unknown-flags")) {
        CHECK(REFUSED(EINVAL, slub_kmem_cache_create("name\n", 64, 0, 0x11, NULL)));
    } else if (!strcmp(what, "wrong-order")) {
        slub_free_pages(slub___get_free_pages(SLUB_GFP_KERNEL, 3), 5);
    } else if (!strcmp(what, "kfree-twice")) {
        void *block = slub_kmalloc(100, SLUB_GFP_KERNEL);
        slub_kfree(block);
        slub_kfree(block);
    } else if (!strcmp(what, "panic")) {
        slub_kmem_cache_create("must be", 0, 0, SLUB_PANIC, NULL);
    }
    puts("ok");
    return 0;
}
