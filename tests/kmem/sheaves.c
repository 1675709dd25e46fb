/* Prefilled sheaves: what was taken before does not fail later. */
#include "kmem.h"

static int constructed;

static void ctor(void *object) {
    memset(object, 0x44, 80);
    constructed++;
}

int main(void) {
    malloc_is_ours();
    struct slub_kmem_cache_args args = {.size = sizeof args, .limit = 500};
    struct slub_kmem_cache *cache = slub_kmem_cache_create_args("prefilled", 80, &args, 0);
    static void *objects[500];
    struct slub_slab_sheaf *sheaf = slub_kmem_cache_prefill_sheaf(cache, SLUB_GFP_KERNEL, 100);
    CHECK(sheaf != NULL && slub_kmem_cache_sheaf_size(sheaf) == 100 && slub_kmem_cache_used(cache) == 100);
    /* It counts: for the limit, and as objects in use. */
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 400, objects) == 400);
    CHECK(REFUSED(ENOMEM, slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL)));
    CHECK(REFUSED(ENOMEM, slub_kmem_cache_prefill_sheaf(cache, SLUB_GFP_KERNEL, 1)));
    for (int i = 0; i < 100; i++) {
        objects[400 + i] = slub_kmem_cache_alloc_from_sheaf(cache, i % 2 ? SLUB_GFP_NOWAIT : SLUB_GFP_KERNEL | SLUB___GFP_ZERO, sheaf);
        CHECK(objects[400 + i] != NULL && (i % 2 || *(char *)objects[400 + i] == 0));
        memset(objects[400 + i], 1, 80);
    }
    errno = 5;
    CHECK(slub_kmem_cache_alloc_from_sheaf(cache, SLUB_GFP_KERNEL, sheaf) == NULL && errno == 5);
    CHECK(slub_kmem_cache_sheaf_size(sheaf) == 0 && slub_kmem_cache_used(cache) == 500);
    slub_kmem_cache_free_bulk(cache, 500, objects);
    /* Filled again, within its room and beyond. */
    CHECK(slub_kmem_cache_refill_sheaf(cache, SLUB_GFP_KERNEL, &sheaf, 50) == 0);
    CHECK(slub_kmem_cache_sheaf_size(sheaf) == 50);
    CHECK(slub_kmem_cache_refill_sheaf(cache, SLUB_GFP_KERNEL, &sheaf, 20) == 0);
    CHECK(slub_kmem_cache_sheaf_size(sheaf) == 50);
    CHECK(slub_kmem_cache_refill_sheaf(cache, SLUB_GFP_KERNEL, &sheaf, 300) == 0);
    CHECK(slub_kmem_cache_sheaf_size(sheaf) == 300 && slub_kmem_cache_used(cache) == 300);
    errno = 0;
    CHECK(slub_kmem_cache_refill_sheaf(cache, SLUB_GFP_KERNEL, &sheaf, 501) == -1 && errno == ENOMEM);
    CHECK(slub_kmem_cache_sheaf_size(sheaf) == 300);
    CHECK(slub_kmem_cache_destroy(cache) == -1);
    /* Errors. */
    struct slub_kmem_cache *other = slub_kmem_cache_create("other", 80, 0, 0, ctor);
    CHECK(REFUSED(EINVAL, slub_kmem_cache_prefill_sheaf(cache, SLUB_GFP_KERNEL, 0)));
    CHECK(REFUSED(EINVAL, slub_kmem_cache_prefill_sheaf(cache, SLUB_GFP_KERNEL, 65536)));
    CHECK(REFUSED(EINVAL, slub_kmem_cache_prefill_sheaf(cache, SLUB_GFP_DMA, 1)));
    CHECK(REFUSED(EINVAL, slub_kmem_cache_alloc_from_sheaf(cache, SLUB_GFP_DMA, sheaf)));
    slub_kmem_cache_return_sheaf(cache, SLUB_GFP_KERNEL, sheaf);
    slub_kmem_cache_return_sheaf(cache, SLUB_GFP_KERNEL, NULL);
    CHECK(slub_kmem_cache_used(cache) == 0 && slub_kmem_cache_destroy(cache) == 0);
    /* Objects are constructed when the sheaf is filled. An oversize one is as good as any. */
    sheaf = slub_kmem_cache_prefill_sheaf(other, SLUB_GFP_KERNEL, 30000);
    CHECK(sheaf != NULL && constructed >= 30000);
    int before = constructed;
    CHECK(REFUSED(EINVAL, slub_kmem_cache_alloc_from_sheaf(other, SLUB_GFP_KERNEL | SLUB___GFP_ZERO, sheaf)));
    for (int i = 0; i < 20000; i++) {
        char *object = slub_kmem_cache_alloc_from_sheaf(other, SLUB_GFP_KERNEL, sheaf);
        CHECK(object != NULL && object[79] == 0x44);
        slub_kmem_cache_free(other, object);
    }
    CHECK(constructed == before && slub_kmem_cache_used(other) == 10000);
    slub_kmem_cache_return_sheaf(other, SLUB_GFP_KERNEL, sheaf);
    CHECK(slub_kmem_cache_destroy(other) == 0);
    /* An empty one is out, too. */
    struct slub_kmem_cache *empty = slub_kmem_cache_create("empty", 80, 0, 0, NULL);
    sheaf = slub_kmem_cache_prefill_sheaf(empty, SLUB_GFP_KERNEL, 1);
    slub_kmem_cache_free(empty, slub_kmem_cache_alloc_from_sheaf(empty, SLUB_GFP_KERNEL, sheaf));
    errno = 0;
    CHECK(slub_kmem_cache_used(empty) == 0 && slub_kmem_cache_destroy(empty) == -1 && errno == EBUSY);
    slub_kmem_cache_return_sheaf(empty, SLUB_GFP_KERNEL, sheaf);
    CHECK(slub_kmem_cache_destroy(empty) == 0);
    puts("ok");
    return 0;
}
