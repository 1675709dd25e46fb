/* Each function with what is no handle of its kind: a line, and a defined result. On standard error, what each line has before it. */
#include "kmem.h"

#define EXPECT(words) fprintf(stderr, "== %s\n", words)
/* What is refused with EINVAL. */
#define NONE(words, call) do { EXPECT(words); CHECK(REFUSED(EINVAL, call)); } while (0)
#define ZERO(words, call) do { EXPECT(words); errno = 0; CHECK((call) == 0 && errno == EINVAL); } while (0)
#define MINUS(words, call) do { EXPECT(words); errno = 0; CHECK((call) == -1 && errno == EINVAL); } while (0)
/* What has no result. */
#define NOTHING(words, call) do { EXPECT(words); call; } while (0)

typedef struct slub_kmem_cache cache;
typedef struct slub_mempool mempool;
typedef struct slub_slab_sheaf sheaf;

static const slub_gfp_t K = SLUB_GFP_KERNEL;

/* A handle that no function for caches takes, but destroy, which has its own cases. */
static void no_cache(cache *wrong, const char *words) {
    void *places[2];
    int object;
    NONE(words, slub_kmem_cache_alloc(wrong, K));
    NONE(words, slub_kmem_cache_zalloc(wrong, K));
    NONE(words, slub_kmem_cache_alloc_node(wrong, K, -1));
    ZERO(words, slub_kmem_cache_alloc_bulk(wrong, K, 2, places));
    ZERO(words, slub_kmem_cache_alloc_bulk(wrong, K, 0, places));
    NOTHING(words, slub_kmem_cache_free(wrong, &object));
    places[0] = &object;
    NOTHING(words, slub_kmem_cache_free_bulk(wrong, 1, places));
    MINUS(words, slub_kmem_cache_shrink(wrong));
    MINUS(words, slub_kmem_cache_set_limit(wrong, 1));
    ZERO(words, slub_kmem_cache_size(wrong));
    ZERO(words, slub_kmem_cache_alignment(wrong));
    ZERO(words, slub_kmem_cache_used(wrong));
    NONE(words, slub_kmem_cache_name(wrong));
    NONE(words, slub_kmem_cache_prefill_sheaf(wrong, K, 1));
    NONE(words, slub_mempool_create(1, wrong));
    if (wrong != NULL) MINUS(words, slub_kmem_cache_destroy(wrong));
}

static void no_mempool(mempool *wrong, const char *words) {
    int object;
    NONE(words, slub_mempool_alloc(wrong, K));
    NOTHING(words, slub_mempool_free(&object, wrong));
    MINUS(words, slub_mempool_resize(wrong, 1));
    if (wrong != NULL) MINUS(words, slub_mempool_destroy(wrong));
}

static void no_sheaf(cache *of, sheaf *wrong, const char *words) {
    sheaf *now = wrong;
    NONE(words, slub_kmem_cache_alloc_from_sheaf(of, K, wrong));
    MINUS(words, slub_kmem_cache_refill_sheaf(of, K, &now, 5));
    CHECK(now == wrong);
    if (wrong != NULL) NOTHING(words, slub_kmem_cache_return_sheaf(of, K, wrong));
    ZERO(words, slub_kmem_cache_sheaf_size(wrong));
}

int main(void) {
    malloc_is_ours();
    /* Where there is no cache yet. */
    no_cache((cache *)0x1000, "unknown cache 0x1000");
    no_sheaf(NULL, (sheaf *)0x1000, "unknown ");
    cache *one = plain("one", 64), *two = plain("two", 64), *gone = plain("gone", 64);
    mempool *pool = slub_mempool_create(2, two);
    int local;
    CHECK(pool != NULL && slub_kmem_cache_destroy(gone) == 0);
    no_cache(gone, "use of a destroyed cache 0x");
    no_cache(NULL, "unknown cache 0x0");
    no_cache((cache *)&local, "unknown cache 0x");
    no_cache((cache *)((char *)one + 1), "unknown cache 0x");
    no_cache((cache *)pool, "a mempool of \"two\" is no cache");
    no_mempool((mempool *)one, "cache \"one\" is no mempool");
    no_mempool((mempool *)gone, "use of a destroyed cache 0x");
    no_mempool(NULL, "unknown cache 0x0");
    no_mempool((mempool *)&local, "unknown cache 0x");

    sheaf *first = slub_kmem_cache_prefill_sheaf(one, K, 3);
    CHECK(first != NULL);
    slub_kmem_cache_return_sheaf(one, K, first);
    no_sheaf(one, first, "use of a returned sheaf 0x");
    /* The next one is not taken for it, wherever it is. */
    sheaf *second = slub_kmem_cache_prefill_sheaf(one, K, 3);
    CHECK(second != NULL && second != first);
    no_sheaf(one, first, "use of a returned sheaf 0x");
    CHECK(slub_kmem_cache_sheaf_size(second) == 3);
    for (int i = 0; i < 2000; i++) {
        sheaf *other = slub_kmem_cache_prefill_sheaf(one, K, 1);
        CHECK_AT(other != NULL && other != first && other != second, i);
        slub_kmem_cache_return_sheaf(one, K, other);
    }
    no_sheaf(one, first, "use of a returned sheaf 0x");
    no_sheaf(one, NULL, "unknown sheaf 0x0");
    MINUS("unknown sheaf 0x0", slub_kmem_cache_refill_sheaf(one, K, NULL, 5));
    no_sheaf(one, (sheaf *)one, "unknown sheaf 0x");
    no_sheaf(one, (sheaf *)&local, "unknown sheaf 0x");
    void *object = slub_kmem_cache_alloc(one, K);
    no_sheaf(one, object, "unknown sheaf 0x");
    /* A sheaf that has become another one. */
    sheaf *small = second;
    CHECK(slub_kmem_cache_refill_sheaf(one, K, &second, 500) == 0 && second != small);
    no_sheaf(one, small, "use of a returned sheaf 0x");
    CHECK(slub_kmem_cache_sheaf_size(second) == 500);
    sheaf *now = second;
    NONE("a sheaf of \"one\" was used for \"two\"", slub_kmem_cache_alloc_from_sheaf(two, K, second));
    MINUS("a sheaf of \"one\" was used for \"two\"", slub_kmem_cache_refill_sheaf(two, K, &now, 600));
    NOTHING("a sheaf of \"one\" was returned to \"two\"", slub_kmem_cache_return_sheaf(two, K, second));
    NOTHING("use of a destroyed cache 0x", slub_kmem_cache_return_sheaf(gone, K, second));
    NONE("unknown cache 0x0", slub_kmem_cache_alloc_from_sheaf(NULL, K, second));
    CHECK(now == second && slub_kmem_cache_sheaf_size(second) == 500 && slub_kmem_cache_used(one) == 501);
    slub_kmem_cache_return_sheaf(one, K, second);
    slub_kmem_cache_free(one, object);
    CHECK(slub_mempool_destroy(pool) == 0 && slub_kmem_cache_destroy(two) == 0);
    CHECK(slub_kmem_cache_used(one) == 0 && slub_kmem_cache_destroy(one) == 0);
    puts("ok");
    return 0;
}
