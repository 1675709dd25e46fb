/* Each flag does what the header says, and each wrong argument is refused. */
#include "kmem.h"
#include <limits.h>

static void ctor(void *object) { memset(object, 0x11, 64); }

static int is_zero(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i]) return 0;
    return 1;
}

/* A destructor would be called with objects that nobody has made. */
static void *without_constructor(void (*dtor)(void *), unsigned capacity) {
    struct slub_kmem_cache_args args = {.size = sizeof args, .dtor = dtor, .sheaf_capacity = capacity};
    return slub_kmem_cache_create_args("refused", 100, &args, 0);
}

static void destroys(void *object) { (void)object; }

int main(void) {
    CHECK(REFUSED(EINVAL, without_constructor(destroys, 0)) && REFUSED(EINVAL, without_constructor(NULL, 1023)));
    malloc_is_ours();
    struct slub_kmem_cache *cache = plain("flags", 64);
    static const slub_gfp_t honoured[] = {
        SLUB_GFP_KERNEL, SLUB_GFP_KERNEL_ACCOUNT, SLUB_GFP_NOIO, SLUB_GFP_NOFS, SLUB_GFP_USER, SLUB_GFP_HIGHUSER,
        SLUB_GFP_KERNEL | SLUB___GFP_MOVABLE, SLUB_GFP_KERNEL | SLUB___GFP_RECLAIMABLE, SLUB_GFP_KERNEL | SLUB___GFP_HIGH,
        SLUB_GFP_KERNEL | SLUB___GFP_NOWARN, SLUB_GFP_KERNEL | SLUB___GFP_RETRY_MAYFAIL,
        SLUB_GFP_KERNEL | SLUB___GFP_NORETRY, SLUB_GFP_KERNEL | SLUB___GFP_MEMALLOC, SLUB_GFP_KERNEL | SLUB___GFP_COMP,
        SLUB_GFP_KERNEL | SLUB___GFP_ACCOUNT, SLUB_GFP_KERNEL | SLUB___GFP_THISNODE, SLUB_GFP_KERNEL | SLUB___GFP_NOFAIL,
        SLUB_GFP_KERNEL | SLUB___GFP_ZERO, SLUB_GFP_ATOMIC, SLUB_GFP_NOWAIT,
    };
    for (size_t i = 0; i < sizeof honoured / sizeof *honoured; i++) {
        /* Of an empty cache and of one with objects at hand. */
        struct slub_kmem_cache *fresh = plain("fresh", 64);
        /* Memory that may be used without asking the system. */
        free(memset(malloc(1 << 20), 1, 1 << 20));
        void *first = slub_kmem_cache_alloc(fresh, honoured[i]);
        int may_fail = !(honoured[i] & SLUB___GFP_DIRECT_RECLAIM);
        CHECK_AT(first != NULL || may_fail, i);
        void *second = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL);
        slub_kmem_cache_free(cache, memset(second, 0xff, 64));
        void *again = slub_kmem_cache_alloc(cache, honoured[i]);
        CHECK_AT(again != NULL, i);
        if (honoured[i] & SLUB___GFP_ZERO) CHECK(is_zero(again, 64) && is_zero(first, 64));
        slub_kmem_cache_free(cache, again);
        slub_kmem_cache_free(fresh, first);
        CHECK(slub_kmem_cache_destroy(fresh) == 0);
    }
    static const slub_gfp_t refused[] = {SLUB_GFP_DMA, SLUB_GFP_DMA32, 0x200, 0x1000, 0x80000, 0x1000000, 0x80000000,
                                         SLUB___GFP_NOFAIL | SLUB_GFP_NOWAIT, SLUB___GFP_NOFAIL};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        slub_gfp_t flags = refused[i] | (i < 7 ? SLUB_GFP_KERNEL : 0);
        void *one;
        CHECK_AT(REFUSED(EINVAL, slub_kmem_cache_alloc(cache, flags)), i);
        CHECK_AT(REFUSED(EINVAL, slub_kmem_cache_zalloc(cache, flags)), i);
        CHECK_AT(REFUSED(EINVAL, slub_kmem_cache_alloc_node(cache, flags, 0)), i);
        errno = 0;
        CHECK_AT(slub_kmem_cache_alloc_bulk(cache, flags, 1, &one) == 0 && errno == EINVAL, i);
    }
    /* Nodes. */
    void *object = slub_kmem_cache_alloc_node(cache, SLUB_GFP_KERNEL, -1);
    CHECK(object != NULL);
    int node = slubmalloc_node_of(object);
    CHECK(node >= 0);
    slub_kmem_cache_free(cache, object);
    for (int strict = 0; strict < 2; strict++) {
        object = slub_kmem_cache_alloc_node(cache, SLUB_GFP_KERNEL | (strict ? SLUB___GFP_THISNODE : 0), node);
        CHECK(object != NULL && slubmalloc_node_of(object) == node);
        slub_kmem_cache_free(cache, object);
    }
    CHECK(REFUSED(EINVAL, slub_kmem_cache_alloc_node(cache, SLUB_GFP_KERNEL, 63)));
    CHECK(REFUSED(EINVAL, slub_kmem_cache_alloc_node(cache, SLUB_GFP_KERNEL, 5000)));
    CHECK(REFUSED(EINVAL, slub_kmem_cache_alloc_node(cache, SLUB_GFP_KERNEL, -2)));
    /* Zeroes and constructors contradict each other. */
    struct slub_kmem_cache *constructed = slub_kmem_cache_create("constructed", 64, 0, 0, ctor);
    CHECK(REFUSED(EINVAL, slub_kmem_cache_zalloc(constructed, SLUB_GFP_KERNEL)));
    CHECK(REFUSED(EINVAL, slub_kmem_cache_alloc(constructed, SLUB_GFP_KERNEL | SLUB___GFP_ZERO)));
    CHECK(slub_kmem_cache_destroy(constructed) == 0);
    /* Flags of caches. */
    static const unsigned known[] = {SLUB_HWCACHE_ALIGN, SLUB_PANIC, SLUB_NO_MERGE, SLUB_ACCOUNT, SLUB_TYPESAFE_BY_RCU,
                                     SLUB_CONSISTENCY_CHECKS, SLUB_RED_ZONE, SLUB_POISON, SLUB_STORE_USER,
                                     SLUB_MERGE};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct slub_kmem_cache *one = slub_kmem_cache_create("known", 40, 0, known[i], NULL);
        CHECK(one != NULL);
        CHECK(slub_kmem_cache_alignment(one) == (known[i] == SLUB_HWCACHE_ALIGN ? 64 : 16));
        CHECK(slub_kmem_cache_destroy(one) == 0);
    }
    struct slub_kmem_cache_args args = {.size = sizeof args};
    CHECK(REFUSED(EINVAL, slub_kmem_cache_create("unknown", 40, 0, 0x1, NULL)));
    CHECK(REFUSED(EINVAL, slub_kmem_cache_create("align", 40, 48, 0, NULL)));
    CHECK(REFUSED(EINVAL, slub_kmem_cache_create("nothing", 0, 0, 0, NULL)));
    CHECK(REFUSED(EINVAL, slub_kmem_cache_create("large", 49153, 0, 0, NULL)));
    /* What fits only without a red zone, and with no alignment that is larger than it. */
    struct slub_kmem_cache *largest = slub_kmem_cache_create("largest", 49152, 0, 0, NULL);
    CHECK(largest != NULL && slub_kmem_cache_destroy(largest) == 0);
    CHECK(REFUSED(EINVAL, slub_kmem_cache_create("zoned", 49152, 0, SLUB_RED_ZONE, NULL)));
    CHECK(REFUSED(EINVAL, slub_kmem_cache_create("aligned", 8, 1u << 31, 0, NULL)));
    CHECK(REFUSED(EINVAL, slub_kmem_cache_create("aligned", 49152, 32768, 0, NULL)));
    errno = 0;
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, (size_t)INT_MAX + 1, &object) == 0 && errno == EINVAL);
    errno = 0;
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 1, NULL) == 0 && errno == EINVAL);
    /* A limit is for a cache that is not shared: this one asked for that, and cannot be. */
    struct slub_kmem_cache *unshared = slub_kmem_cache_create("unshared", 64, 0, SLUB_MERGE, ctor);
    CHECK(unshared != NULL && slub_kmem_cache_set_limit(unshared, 5) == 0 && slub_kmem_cache_destroy(unshared) == 0);
    unshared = slub_kmem_cache_create("unshared", 64, 0, SLUB_MERGE | SLUB_NO_MERGE, NULL);
    CHECK(unshared != NULL && slub_kmem_cache_set_limit(unshared, 5) == 0 && slub_kmem_cache_destroy(unshared) == 0);
    CHECK(REFUSED(EINVAL, slub_kmem_cache_create("", 40, 0, 0, NULL)));
    CHECK(REFUSED(EINVAL, slub_kmem_cache_create(NULL, 40, 0, 0, NULL)));
    /* A later version's, which says nothing there and then something. */
    struct { struct slub_kmem_cache_args known; size_t more[2]; } newer = {.known = {.size = sizeof newer, .align = 64}};
    struct slub_kmem_cache *later = slub_kmem_cache_create_args("newer", 40, &newer.known, 0);
    CHECK(later != NULL && slub_kmem_cache_alignment(later) == 64 && slub_kmem_cache_destroy(later) == 0);
    newer.more[1] = 1;
    CHECK(REFUSED(EINVAL, slub_kmem_cache_create_args("newer", 40, &newer.known, 0)));
    args.size = offsetof(struct slub_kmem_cache_args, ctor) + 4;
    CHECK(REFUSED(EINVAL, slub_kmem_cache_create_args("inside", 40, &args, 0)));
    args.size = 0;
    CHECK(REFUSED(EINVAL, slub_kmem_cache_create_args("none", 40, &args, 0)));
    /* A structure of an older version is shorter. */
    args.size = offsetof(struct slub_kmem_cache_args, ctor);
    args.align = 128;
    args.ctor = (void (*)(void *))1;
    struct slub_kmem_cache *older = slub_kmem_cache_create_args("older", 40, &args, 0);
    CHECK(older != NULL && slub_kmem_cache_alignment(older) == 128);
    CHECK((object = slub_kmem_cache_zalloc(older, SLUB_GFP_KERNEL)) != NULL);
    slub_kmem_cache_free(older, object);
    CHECK(slub_kmem_cache_destroy(older) == 0);
    struct slub_kmem_cache *defaults = slub_kmem_cache_create_args("defaults", 40, NULL, 0);
    CHECK(defaults != NULL && slub_kmem_cache_destroy(defaults) == 0);
    CHECK(slub_kmem_cache_destroy(cache) == 0);
    puts("ok");
    return 0;
}
