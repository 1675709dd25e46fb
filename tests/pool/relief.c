/* Direct shrinkers run before a pool's allocation fails for lack of memory, also one that moves a block, and not at a pool's own limit. */
#include "pool.h"

static void *hoard[48];
static int calls;

static unsigned long count_hoard(void *context) {
    unsigned long count = 0;
    (void)context;
    for (int i = 0; i < 48; i++) count += hoard[i] != NULL;
    return count ? count : SLUB_SHRINK_EMPTY;
}

static unsigned long scan_hoard(void *context, unsigned long most) {
    unsigned long freed = 0;
    (void)context;
    calls++;
    for (int i = 0; i < 48 && freed < most; i++) {
        if (hoard[i] == NULL) continue;
        free(hoard[i]);
        hoard[i] = NULL;
        freed++;
    }
    return freed;
}

static void fill(void) {
    for (int i = 0; i < 48; i++)
        if (hoard[i] == NULL && (hoard[i] = malloc(1 * MIB)) != NULL) memset(hoard[i], 1, 1 * MIB);
    calls = 0;
}

int main(void) {
    malloc_is_ours();
    struct slub_pool *pool = pool_with("grows", 0, NULL, 0), *small = pool_with("small", 64 * KIB, NULL, 0);
    CHECK(slub_register_shrinker("hoard", count_hoard, scan_hoard, NULL, SLUB_SHRINK_DIRECT) != NULL);
    /* The process may have 64 MiB. */
    char *one, *two;
    fill();
    CHECK(slub_pool_malloc(pool, 20 * MIB) != NULL && calls > 0);
    CHECK(slub_pool_reset(pool, 0) == 0);
    one = slub_pool_malloc(pool, 1000);
    fill();
    CHECK((one = slub_pool_realloc(pool, one, 20 * MIB)) != NULL && calls > 0);
    CHECK(slub_pool_reset(pool, 0) == 0);
    two = slub_pool_malloc(pool, 1 * MIB);
    fill();
    CHECK((two = realloc(two, 20 * MIB)) != NULL && calls > 0 && slub_pool_of(two) == pool);
    CHECK(slub_pool_reset(pool, 0) == 0);
    fill();
    void *block = slub_pool_malloc(small, 1000);
    CHECK(REFUSED(ENOMEM, slub_pool_malloc(small, 100 * KIB)));
    CHECK(REFUSED(ENOMEM, slub_pool_realloc(small, block, 100 * KIB)));
    CHECK(calls == 0 && count_hoard(NULL) == 48);
    puts("ok");
    return 0;
}
