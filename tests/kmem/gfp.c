/* Every function that takes GFP flags, with every flag: what is honoured gives memory, what is refused gives EINVAL and nothing. */
#include "kmem.h"

enum { SIZE = 200 };

static struct slub_kmem_cache *cache;
static struct slub_mempool *pool;
static struct slub_slab_sheaf *sheaf;
static const char text[] = "text";

static void *alloc(slub_gfp_t flags) { return slub_kmem_cache_alloc(cache, flags); }
static void *zalloc(slub_gfp_t flags) { return slub_kmem_cache_zalloc(cache, flags); }
static void *alloc_node(slub_gfp_t flags) { return slub_kmem_cache_alloc_node(cache, flags, -1); }
static void *alloc_bulk(slub_gfp_t flags) {
    void *objects[3];
    int count = slub_kmem_cache_alloc_bulk(cache, flags, 3, objects);
    CHECK(count == 0 || count == 3);
    if (count == 0) return NULL;
    slub_kmem_cache_free_bulk(cache, 2, objects + 1);
    return objects[0];
}
static void *prefill(slub_gfp_t flags) { return slub_kmem_cache_prefill_sheaf(cache, flags, 3); }
static void *refill(slub_gfp_t flags) {
    /* Nothing is taken of a sheaf that is not filled, and it stays. */
    unsigned before = slub_kmem_cache_sheaf_size(sheaf);
    int error = slub_kmem_cache_refill_sheaf(cache, flags, &sheaf, before + 3);
    CHECK(slub_kmem_cache_sheaf_size(sheaf) == before + (error ? 0 : 3));
    return error ? NULL : slub_kmem_cache_alloc_from_sheaf(cache, SLUB_GFP_KERNEL, sheaf);
}
static void *from_sheaf(slub_gfp_t flags) { return slub_kmem_cache_alloc_from_sheaf(cache, flags, sheaf); }
static void *of_pool(slub_gfp_t flags) { return slub_mempool_alloc(pool, flags); }

static void *kmalloc(slub_gfp_t flags) { return slub_kmalloc(SIZE, flags); }
static void *kzalloc(slub_gfp_t flags) { return slub_kzalloc(SIZE, flags); }
static void *kmalloc_node(slub_gfp_t flags) { return slub_kmalloc_node(SIZE, flags, -1); }
static void *kmalloc_array(slub_gfp_t flags) { return slub_kmalloc_array(SIZE / 10, 10, flags); }
static void *kcalloc(slub_gfp_t flags) { return slub_kcalloc(SIZE / 10, 10, flags); }
static void *kvmalloc(slub_gfp_t flags) { return slub_kvmalloc(SIZE, flags); }
static void *krealloc(slub_gfp_t flags) { return slub_krealloc(NULL, SIZE, flags); }
static void *krealloc_more(slub_gfp_t flags) {
    char *block = slub_kzalloc(8, SLUB_GFP_KERNEL), *more = slub_krealloc(block, SIZE, flags);
    if (more == NULL) slub_kfree(block);
    return more;
}
static void *kstrdup(slub_gfp_t flags) { return slub_kstrdup(text, flags); }
static void *kmemdup(slub_gfp_t flags) { return slub_kmemdup(text, sizeof text, flags); }
static void *large(slub_gfp_t flags) { return slub_kmalloc(100000, flags); }
static void *huge(slub_gfp_t flags) { return slub_kvmalloc(9 << 20, flags); }

static void *pages(slub_gfp_t flags) { return slub_page_address(slub_alloc_pages(flags, 1)); }
static void *get_pages(slub_gfp_t flags) { return (void *)slub___get_free_pages(flags, 1); }
static void *zeroed_page(slub_gfp_t flags) { return (void *)slub_get_zeroed_page(flags); }
static void *pages_exact(slub_gfp_t flags) { return slub_alloc_pages_exact(2 * SLUB_PAGE_SIZE, flags); }

static void give(void *object) { slub_kmem_cache_free(cache, object); }
static void give_sheaf(void *taken) { slub_kmem_cache_return_sheaf(cache, SLUB_GFP_KERNEL, taken); }
static void give_pool(void *object) { slub_mempool_free(object, pool); }
static void give_pages(void *address) { slub___free_pages(slub_virt_to_page(address), 1); }
static void give_page(void *address) { slub_free_pages((unsigned long)address, 0); }
static void give_exact(void *address) { slub_free_pages_exact(address, 2 * SLUB_PAGE_SIZE); }

/* What becomes of __GFP_ZERO. */
enum zero { HONOURS, ALWAYS, COPIES, REFUSES, NO_MEMORY_OF_ITS_OWN };

static const struct way {
    const char *name;
    void *(*take)(slub_gfp_t);
    void (*give)(void *);
    enum zero zero;
    size_t bytes;
} ways[] = {
    {"kmem_cache_alloc", alloc, give, HONOURS, SIZE},
    {"kmem_cache_zalloc", zalloc, give, ALWAYS, SIZE},
    {"kmem_cache_alloc_node", alloc_node, give, HONOURS, SIZE},
    {"kmem_cache_alloc_bulk", alloc_bulk, give, HONOURS, SIZE},
    {"kmem_cache_prefill_sheaf", prefill, give_sheaf, NO_MEMORY_OF_ITS_OWN, 0},
    {"kmem_cache_refill_sheaf", refill, give, NO_MEMORY_OF_ITS_OWN, SIZE},
    {"kmem_cache_alloc_from_sheaf", from_sheaf, give, HONOURS, SIZE},
    {"mempool_alloc", of_pool, give_pool, REFUSES, SIZE},
    {"kmalloc", kmalloc, slub_kfree, HONOURS, SIZE},
    {"kzalloc", kzalloc, slub_kfree, ALWAYS, SIZE},
    {"kmalloc_node", kmalloc_node, slub_kfree, HONOURS, SIZE},
    {"kmalloc_array", kmalloc_array, slub_kfree, HONOURS, SIZE},
    {"kcalloc", kcalloc, slub_kfree, ALWAYS, SIZE},
    {"kvmalloc", kvmalloc, slub_kfree, HONOURS, SIZE},
    {"krealloc(NULL)", krealloc, slub_kfree, HONOURS, SIZE},
    {"krealloc", krealloc_more, slub_kfree, HONOURS, SIZE},
    {"kstrdup", kstrdup, slub_kfree, COPIES, sizeof text},
    {"kmemdup", kmemdup, slub_kfree, COPIES, sizeof text},
    {"kmalloc of large", large, slub_kfree, HONOURS, 100000},
    {"kvmalloc of huge", huge, slub_kfree, HONOURS, 9 << 20},
    {"alloc_pages", pages, give_pages, HONOURS, 2 * SLUB_PAGE_SIZE},
    {"__get_free_pages", get_pages, give_pages, HONOURS, 2 * SLUB_PAGE_SIZE},
    {"get_zeroed_page", zeroed_page, give_page, ALWAYS, SLUB_PAGE_SIZE},
    {"alloc_pages_exact", pages_exact, give_exact, HONOURS, 2 * SLUB_PAGE_SIZE},
};

static const struct flag {
    const char *name;
    slub_gfp_t flags;
} honoured[] = {
    {"GFP_KERNEL", SLUB_GFP_KERNEL},
    {"GFP_KERNEL_ACCOUNT", SLUB_GFP_KERNEL_ACCOUNT},
    {"GFP_NOIO", SLUB_GFP_NOIO},
    {"GFP_NOFS", SLUB_GFP_NOFS},
    {"GFP_USER", SLUB_GFP_USER},
    {"GFP_HIGHUSER", SLUB_GFP_HIGHUSER},
    {"GFP_NOWAIT", SLUB_GFP_NOWAIT},
    {"GFP_ATOMIC", SLUB_GFP_ATOMIC},
    {"no flag", 0},
    {"__GFP_MOVABLE", SLUB_GFP_KERNEL | SLUB___GFP_MOVABLE},
    {"__GFP_RECLAIMABLE", SLUB_GFP_KERNEL | SLUB___GFP_RECLAIMABLE},
    {"__GFP_HIGH", SLUB_GFP_KERNEL | SLUB___GFP_HIGH},
    {"__GFP_NOWARN", SLUB_GFP_KERNEL | SLUB___GFP_NOWARN},
    {"__GFP_RETRY_MAYFAIL", SLUB_GFP_KERNEL | SLUB___GFP_RETRY_MAYFAIL},
    {"__GFP_NOFAIL", SLUB_GFP_KERNEL | SLUB___GFP_NOFAIL},
    {"__GFP_NORETRY", SLUB_GFP_KERNEL | SLUB___GFP_NORETRY},
    {"__GFP_MEMALLOC", SLUB_GFP_KERNEL | SLUB___GFP_MEMALLOC},
    {"__GFP_COMP", SLUB_GFP_KERNEL | SLUB___GFP_COMP},
    {"__GFP_THISNODE", SLUB_GFP_KERNEL | SLUB___GFP_THISNODE},
    {"__GFP_ACCOUNT", SLUB_GFP_KERNEL | SLUB___GFP_ACCOUNT},
    {"__GFP_ZERO", SLUB_GFP_KERNEL | SLUB___GFP_ZERO},
    {"__GFP_ZERO | __GFP_NOFAIL", SLUB_GFP_KERNEL | SLUB___GFP_ZERO | SLUB___GFP_NOFAIL},
    {"__GFP_ZERO | GFP_NOWAIT", SLUB_GFP_NOWAIT | SLUB___GFP_ZERO},
}, refused[] = {
    {"GFP_DMA", SLUB_GFP_KERNEL | SLUB_GFP_DMA},
    {"GFP_DMA32", SLUB_GFP_KERNEL | SLUB_GFP_DMA32},
    {"bit 9", SLUB_GFP_KERNEL | 0x200},
    {"bit 12", SLUB_GFP_KERNEL | 0x1000},
    {"bit 19", SLUB_GFP_KERNEL | 0x80000},
    {"bit 23", SLUB_GFP_KERNEL | 0x800000},
    {"bit 31", SLUB_GFP_KERNEL | 0x80000000},
    {"__GFP_NOFAIL | GFP_NOWAIT", SLUB___GFP_NOFAIL | SLUB_GFP_NOWAIT},
    {"__GFP_NOFAIL | GFP_ATOMIC", SLUB___GFP_NOFAIL | SLUB_GFP_ATOMIC},
    {"only __GFP_NOFAIL", SLUB___GFP_NOFAIL},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define EXPECT(truth, way, flag) \
    ((truth) ? (void)0 : (fprintf(stderr, "%s with %s: not %s, errno %d\n", (way)->name, (flag)->name, #truth, errno), abort()))

static int is_all(const unsigned char *bytes, size_t size, int byte) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != byte) return 0;
    return 1;
}

static void honours(const struct way *way, const struct flag *flag) {
    /* Memory that has been used, and is at hand. */
    void *used = way->take(SLUB_GFP_KERNEL);
    EXPECT(used != NULL, way, flag);
    if (way->give != give_sheaf) memset(used, 0xff, way->bytes);
    way->give(used);
    int refuses = way->zero == REFUSES && flag->flags & SLUB___GFP_ZERO;
    errno = 77;
    unsigned char *taken = way->take(flag->flags);
    if (refuses) {
        EXPECT(taken == NULL && errno == EINVAL, way, flag);
        return;
    }
    if (taken == NULL) {
        /* Only who may not wait may go without. */
        EXPECT(!(flag->flags & SLUB___GFP_DIRECT_RECLAIM) && errno == ENOMEM, way, flag);
        return;
    }
    EXPECT(errno == 77, way, flag);
    if (way->zero == ALWAYS || (way->zero == HONOURS && flag->flags & SLUB___GFP_ZERO))
        EXPECT(is_all(taken, way->bytes, 0), way, flag);
    if (way->zero == COPIES) EXPECT(memcmp(taken, text, sizeof text) == 0, way, flag);
    if (way->give != give_sheaf) memset(taken, 0xff, way->bytes);
    way->give(taken);
}

static void refuses(const struct way *way, const struct flag *flag) {
    size_t before = slub_kmem_cache_used(cache);
    errno = 0;
    EXPECT(way->take(flag->flags) == NULL && errno == EINVAL, way, flag);
    EXPECT(slub_kmem_cache_used(cache) == before, way, flag);
}

int main(void) {
    malloc_is_ours();
    cache = plain("flags", SIZE);
    pool = slub_mempool_create(4, cache);
    sheaf = slub_kmem_cache_prefill_sheaf(cache, SLUB_GFP_KERNEL, 200);
    CHECK(pool != NULL && sheaf != NULL);
    for (size_t i = 0; i < COUNT(ways); i++) {
        for (size_t j = 0; j < COUNT(honoured); j++) honours(&ways[i], &honoured[j]);
        for (size_t j = 0; j < COUNT(refused); j++) refuses(&ways[i], &refused[j]);
    }
    slub_kmem_cache_return_sheaf(cache, SLUB_GFP_KERNEL, sheaf);
    CHECK(slub_mempool_destroy(pool) == 0 && slub_kmem_cache_used(cache) == 0 && slub_kmem_cache_destroy(cache) == 0);
    puts("ok");
    return 0;
}
