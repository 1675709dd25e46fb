/* Each name of slubmalloc/kernel.h, as kernel code uses it; C of 1999 and later, and C++. */
#include <slubmalloc/kernel.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                        \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                     \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

/* Members and variables may have the functions' names, and be called. */
struct operations {
    void *(*kmalloc)(size_t size, gfp_t flags);
    void (*kfree)(const void *ptr);
    void (*free_pages)(unsigned long address, unsigned int order);
    unsigned int page_address;
};

/* And functions be passed on. */
static const struct operations operations = {kmalloc, kfree, free_pages, 7};

struct packet {
    unsigned int count;
    long words[];
};

struct point {
    long x, y;
};

static void zeroes(void *object) { memset(object, 0, sizeof(struct point)); }

static void caches(void) {
    struct kmem_cache_args args;
    memset(&args, 0, sizeof args);
    args.align = 64;
    args.ctor = zeroes;
    args.sheaf_capacity = 8;
    struct kmem_cache *cache = kmem_cache_create("args", sizeof(struct point), &args, SLAB_PANIC);
    CHECK(slub_kmem_cache_alignment(cache) == 64);
    kmem_cache_destroy(cache);
    cache = kmem_cache_create("defaults", sizeof(struct point), NULL, SLAB_ACCOUNT);
    CHECK(cache != NULL);
    kmem_cache_destroy(cache);
    cache = kmem_cache_create_usercopy("copied", sizeof(struct point), 8, SLAB_RECLAIM_ACCOUNT, 0, sizeof(long), NULL);
    CHECK(cache != NULL);
    kmem_cache_destroy(cache);
    cache = KMEM_CACHE_USERCOPY(point, SLAB_PANIC, y);
    kmem_cache_destroy(cache);
    cache = KMEM_CACHE(point, SLAB_PANIC | SLAB_HWCACHE_ALIGN | SLAB_NO_MERGE);
    CHECK(kmem_cache_size(cache) == sizeof(struct point));
    struct point *one = (struct point *)kmem_cache_zalloc(cache, GFP_KERNEL);
    CHECK(one != NULL && one->x == 0 && one->y == 0);
    kmem_cache_free(cache, one);
    kmem_cache_free(cache, kmem_cache_alloc_node(cache, GFP_KERNEL, NUMA_NO_NODE));
    kmem_cache_free(cache, kmem_cache_alloc_lru(cache, NULL, GFP_KERNEL_ACCOUNT));
    void *objects[4];
    CHECK(kmem_cache_alloc_bulk(cache, GFP_NOFS, 4, objects) == 4);
    kmem_cache_free_bulk(cache, 4, objects);
    struct slab_sheaf *sheaf = kmem_cache_prefill_sheaf(cache, GFP_NOIO, 3);
    CHECK(sheaf != NULL && kmem_cache_sheaf_size(sheaf) == 3);
    kmem_cache_free(cache, kmem_cache_alloc_from_sheaf(cache, GFP_NOWAIT, sheaf));
    CHECK(kmem_cache_refill_sheaf(cache, GFP_KERNEL, &sheaf, 5) == 0 && kmem_cache_sheaf_size(sheaf) == 5);
    kmem_cache_return_sheaf(cache, GFP_KERNEL, sheaf);
    mempool_t *pool = mempool_create_slab_pool(2, cache);
    CHECK(pool != NULL && mempool_resize(pool, 3) == 0);
    mempool_free(mempool_alloc(pool, GFP_KERNEL), pool);
    mempool_destroy(pool);
    kfree(kmalloc(KMALLOC_MAX_SIZE, GFP_HIGHUSER_MOVABLE | __GFP_NOMEMALLOC));
    CHECK(kmem_cache_shrink(cache) == 0);
    kmem_cache_destroy(cache);
}

static void blocks(void) {
    struct packet *packet = (struct packet *)kzalloc(struct_size(packet, words, 5), GFP_KERNEL);
    CHECK(packet != NULL && packet->words[4] == 0 && ksize(packet) >= sizeof *packet + 5 * sizeof(long));
    /* A length that overflows is refused, not short. */
    size_t many = ~(size_t)0 / 8;
    CHECK(struct_size(packet, words, many) == ~(size_t)0);
    CHECK(kmalloc(struct_size(packet, words, many), GFP_KERNEL) == NULL);
    CHECK(kcalloc(many, 16, GFP_KERNEL) == NULL && kvmalloc_array(many, 16, GFP_KERNEL | __GFP_NOWARN) == NULL);
    packet = (struct packet *)krealloc(packet, 5000, GFP_KERNEL);
    kfree_sensitive(packet);
    const char *const copy = kstrdup("text", GFP_ATOMIC | __GFP_HIGH);
    const void *const bytes = kmemdup("text", 5, GFP_USER | __GFP_NORETRY);
    CHECK((copy == NULL || strcmp(copy, "text") == 0) && bytes != NULL && memcmp(bytes, "text", 5) == 0);
    kfree(copy);
    kfree(bytes);
    char *const part = kstrndup("text", 2, GFP_KERNEL), *const ended = kmemdup_nul("text", 3, GFP_KERNEL);
    CHECK(part != NULL && strcmp(part, "te") == 0 && ended != NULL && strcmp(ended, "tex") == 0 && kstrndup(NULL, 2, GFP_KERNEL) == NULL);
    kvfree_sensitive(part, 3);
    kfree(kvrealloc(ended, 5000, GFP_KERNEL));
    CHECK(krealloc_array(NULL, many, 16, GFP_KERNEL) == NULL && kcalloc_node(many, 16, GFP_KERNEL, NUMA_NO_NODE) == NULL);
    CHECK(kmalloc_array_node(many, 16, GFP_KERNEL, NUMA_NO_NODE) == NULL && vmalloc_array(many, 16) == NULL && vcalloc(many, 16) == NULL);
    kfree(krealloc_array(NULL, 3, 5, GFP_KERNEL));
    vfree(__vmalloc(10000, GFP_KERNEL | __GFP_ZERO));
    kfree(kmalloc_array(3, 5, GFP_HIGHUSER));
    kfree(kmalloc_node(100, GFP_KERNEL, NUMA_NO_NODE));
    kfree(kzalloc_node(100, GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0));
    kvfree(kvmalloc(1 << 20, GFP_KERNEL));
    kvfree(kvzalloc(1 << 20, GFP_KERNEL | __GFP_COMP));
    kvfree(kvcalloc(1 << 10, 1 << 10, GFP_KERNEL));
    kvfree(kvmalloc_node(100, GFP_KERNEL, 0));
    kvfree(kvzalloc_node(100, GFP_KERNEL, NUMA_NO_NODE));
    vfree(vmalloc(10000));
    vfree(vzalloc(10000));
    CHECK(ZERO_OR_NULL_PTR(kmalloc(0, GFP_KERNEL)) && kmalloc(0, GFP_KERNEL) == ZERO_SIZE_PTR);
    operations.kfree(operations.kmalloc(operations.page_address, GFP_KERNEL));
    CHECK(gfpflags_allow_blocking(GFP_KERNEL) && !gfpflags_allow_blocking(GFP_ATOMIC) && !gfpflags_allow_blocking(GFP_NOWAIT));
}

static void pages(void) {
    CHECK(get_order(1) == 0 && get_order(PAGE_SIZE) == 0 && get_order(PAGE_SIZE + 1) == 1 && get_order(1UL << 22) == 10);
    CHECK(PAGE_SIZE == 1UL << PAGE_SHIFT && PAGE_SIZE == SLUB_PAGE_SIZE);
    struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, MAX_PAGE_ORDER);
    CHECK(page != NULL && virt_to_page(page_address(page)) == page && page_to_nid(page) >= 0);
    CHECK(*(char *)page_address(page) == 0);
    __free_pages(page, MAX_PAGE_ORDER);
    __free_page(alloc_page(GFP_KERNEL));
    free_pages(__get_free_pages(GFP_KERNEL, 2), 2);
    operations.free_pages(get_zeroed_page(GFP_KERNEL), 0);
    free_page(__get_free_page(GFP_KERNEL));
    free_pages_exact(alloc_pages_exact(5 * PAGE_SIZE, GFP_KERNEL), 5 * PAGE_SIZE);
}

/* Names that code of other versions of Linux has. */
static void other_versions(void) {
    struct kmem_cache *cache = kmem_cache_create("hints", sizeof(struct point), 0,
                                                 SLAB_MEM_SPREAD | SLAB_NOLEAKTRACE | SLAB_TEMPORARY | SLAB_DEBUG_OBJECTS, NULL);
    CHECK(cache != NULL && kmem_cache_create("dma", 8, 0, SLAB_CACHE_DMA, NULL) == NULL);
    void *mixed[3] = {kmem_cache_alloc(cache, GFP_KERNEL | __GFP_WRITE | __GFP_NOLOCKDEP), kmalloc(100, GFP_KERNEL), NULL};
    kfree_bulk(3, mixed);
    mixed[0] = kmem_cache_alloc(cache, GFP_KERNEL), mixed[1] = kmalloc_track_caller(9, GFP_KERNEL);
    kmem_cache_free_bulk(NULL, 2, mixed);
    CHECK(slub_kmem_cache_used(cache) == 0);
    kmem_cache_destroy(cache);
    kzfree(kmalloc_node_track_caller(10, GFP_KERNEL, NUMA_NO_NODE));
    const char *name = kstrdup_const("name", GFP_KERNEL);
    CHECK(name != NULL && strcmp(name, "name") == 0 && kstrdup_const(NULL, GFP_KERNEL) == NULL);
    kfree_const(name);
    kfree_const(NULL);
    const size_t many = ~(size_t)0 / 8, none = ~(size_t)0;
    const short numbers[] = {1, 2, 3};
    short *copy = (short *)kmemdup_array(numbers, 3, sizeof *numbers, GFP_KERNEL);
    CHECK(copy != NULL && copy[2] == 3 && kmemdup_array(numbers, many, 16, GFP_KERNEL) == NULL);
    kfree(copy);
    CHECK(size_mul(3, 5) == 15 && size_mul(many, 16) == none && size_add(3, 5) == 8 && size_add(none, 1) == none);
    CHECK(array3_size(2, 3, 5) == 30 && array3_size(many, 16, 0) == 0 && array3_size(many, 4, 4) == none);
    struct packet *packet = NULL;
    CHECK(flex_array_size(packet, words, 3) == 3 * sizeof(long) && flex_array_size(packet, words, many + 2) == none);
    for (size_t size = 0; size < 300000; size += size / 8 + 1) {
        size_t rounded = kmalloc_size_roundup(size);
        void *block = kmalloc(size, GFP_KERNEL);
        CHECK(rounded >= size && ksize(block) >= rounded);
        kfree(block);
    }
    CHECK(kmalloc_size_roundup(none) == none);
    CHECK(((unsigned long)mixed[0] & (ARCH_SLAB_MINALIGN - 1)) == 0 && ((unsigned long)mixed[1] & (ARCH_KMALLOC_MINALIGN - 1)) == 0);
    mempool_t *one = mempool_create_kmalloc_pool(3, 1000), *two = mempool_create_kmalloc_pool(2, 1024);
    CHECK(one != NULL && two != NULL && mempool_create_kmalloc_pool(2, 50000) == NULL && mempool_create_kmalloc_pool(0, 100) == NULL);
    void *element = mempool_alloc(two, GFP_NOIO);
    CHECK(element != NULL && ((unsigned long)element & 1023) == 0);
    mempool_free(element, two);
    kfree(mempool_alloc(one, GFP_KERNEL));
    mempool_destroy(one);
    mempool_destroy(two);
}

static void other_pages(void) {
    CHECK(PAGE_MASK == ~(PAGE_SIZE - 1) && PAGE_ALIGN(1) == PAGE_SIZE && PAGE_ALIGN(PAGE_SIZE) == PAGE_SIZE && PAGE_ALIGN(0) == 0);
    CHECK(MAX_ORDER == MAX_PAGE_ORDER);
    for (unsigned int order = 0; order <= MAX_ORDER; order++) {
        struct page *page = alloc_pages_node(page_to_nid(virt_to_page(get_zeroed_page(GFP_KERNEL))), GFP_KERNEL, order);
        unsigned long address = (unsigned long)page_address(page), last = (PAGE_SIZE << order) - 1;
        CHECK(page != NULL && (address & last) == 0 && compound_order(page) == order);
        CHECK(virt_to_head_page((void *)address) == page && virt_to_head_page((void *)(address + last)) == page);
        CHECK(virt_to_head_page((void *)(address + last / 2)) == page);
        __free_pages(page, order);
    }
    CHECK(alloc_pages_node(NUMA_NO_NODE, GFP_KERNEL, 11) == NULL && alloc_pages_node(0, GFP_KERNEL, 11) == NULL);
    CHECK(alloc_pages_node(200, GFP_KERNEL, 0) == NULL);
    const unsigned long sizes[] = {1, 5000, 40000, 49153, 300001, 5000001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int node = -1; node < 1; node++) {
            char *plain = (char *)vmalloc_node(sizes[i], node), *zeroed = (char *)vzalloc_node(sizes[i], node);
            CHECK(plain != NULL && ((unsigned long)plain & ~PAGE_MASK) == 0 && ksize(plain) >= PAGE_ALIGN(sizes[i]));
            CHECK(zeroed != NULL && ((unsigned long)zeroed & ~PAGE_MASK) == 0 && zeroed[0] == 0 && zeroed[sizes[i] - 1] == 0);
            memset(plain, 1, PAGE_ALIGN(sizes[i]));
            vfree(plain);
            vfree(zeroed);
        }
    }
    CHECK(vmalloc_node(0, 0) == NULL && vmalloc_node(~0UL, 0) == NULL);
}

/* Names of flags that nothing above has. */
static const gfp_t flags[] = {__GFP_BITS_MASK, GFP_ZONEMASK, GFP_DMA, GFP_DMA32, __GFP_IO | __GFP_FS | __GFP_RECLAIM,
                              __GFP_HARDWALL | __GFP_THISNODE | __GFP_ACCOUNT | __GFP_MEMALLOC | __GFP_NOFAIL};
static const slab_flags_t of_caches[] = {SLAB_CONSISTENCY_CHECKS, SLAB_RED_ZONE, SLAB_POISON, SLAB_STORE_USER,
                                         SLAB_TYPESAFE_BY_RCU};

int main(void) {
    /* A kernel's local names. */
    struct page *page = NULL;
    gfp_t kmem_cache = 0;
    slab_flags_t vmalloc = 0;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) kmem_cache |= flags[i];
    for (size_t i = 0; i < sizeof of_caches / sizeof *of_caches; i++) vmalloc |= of_caches[i];
    CHECK(page == NULL && kmem_cache == __GFP_BITS_MASK && vmalloc == (SLUB_TYPESAFE_BY_RCU | 0x10d00));
    CHECK((GFP_KERNEL & GFP_ZONEMASK) == 0 && (GFP_KERNEL & ~__GFP_BITS_MASK) == 0);
    caches();
    blocks();
    pages();
    other_versions();
    other_pages();
    puts("ok");
    return 0;
}
