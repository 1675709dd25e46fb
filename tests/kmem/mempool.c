/* Mempools: which calls wait, which fail, and that the reserve comes back however it is freed. */
#include "kmem.h"

enum { RESERVE = 8, LIMIT = 12, THREADS = 4, ROUNDS = 3000 };

static int constructed;
static void constructs(void *object) {
    __atomic_fetch_add(&constructed, 1, __ATOMIC_RELAXED);
    memset(object, 7, 100);
}

static struct slub_kmem_cache *cache;
static struct slub_mempool *pool;
static volatile int waiting;

static void *waits(void *unused) {
    (void)unused;
    waiting = 1;
    return slub_mempool_alloc(pool, SLUB_GFP_KERNEL);
}

/* All that the limit allows: the pool has the rest. */
static size_t exhaust(void **objects) {
    size_t count = 0;
    while ((objects[count] = slub_mempool_alloc(pool, SLUB_GFP_NOWAIT)) != NULL) count++;
    CHECK(errno == ENOMEM);
    return count;
}

static void fails_or_waits(int how) {
    void *objects[LIMIT + 1];
    size_t count = exhaust(objects);
    CHECK_AT(count == LIMIT, count);
    CHECK(REFUSED(ENOMEM, slub_mempool_alloc(pool, SLUB_GFP_ATOMIC)));
    CHECK(REFUSED(ENOMEM, slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL)));
    pthread_t thread;
    void *got = NULL;
    waiting = 0;
    CHECK(pthread_create(&thread, NULL, waits, NULL) == 0);
    while (!waiting) usleep(1000);
    usleep(50 * 1000);
    /* Of the reserve and of the cache. */
    void *back = objects[how % 2 ? 0 : LIMIT - 1];
    if (how / 2 == 0) slub_mempool_free(back, pool);
    else if (how / 2 == 1) slub_kmem_cache_free(cache, back);
    else free(back);
    CHECK(pthread_join(thread, &got) == 0 && got != NULL);
    for (size_t i = 0; i < count; i++) if (objects[i] != back) slub_mempool_free(objects[i], pool);
    slub_mempool_free(got, pool);
    CHECK(slub_kmem_cache_used(cache) == RESERVE);
}

static void *works(void *unused) {
    (void)unused;
    void *mine[3];
    for (int round = 0; round < ROUNDS; round++) {
        /* Each thread holds fewer than its share, so somebody always frees. */
        for (int i = 0; i < 3; i++) {
            mine[i] = slub_mempool_alloc(pool, SLUB_GFP_KERNEL);
            CHECK(mine[i] != NULL && *(char *)mine[i] == 7);
            if (i == 1) slub_mempool_free(mine[0], pool), mine[0] = NULL;
        }
        slub_kmem_cache_free(cache, mine[1]);
        free(mine[2]);
    }
    return NULL;
}

static void reserve_is_constructed_once(void) {
    int before = constructed;
    void *objects[LIMIT + 1];
    for (int round = 0; round < 20; round++) {
        size_t count = exhaust(objects);
        for (size_t i = 0; i < count; i++) {
            for (int at = 0; at < 100; at++) CHECK_AT(((char *)objects[i])[at] == 7, at);
            slub_mempool_free(objects[i], pool);
        }
    }
    CHECK_AT(constructed - before <= LIMIT, constructed - before);
}

static void resizes(void) {
    void *objects[LIMIT + 1];
    CHECK(slub_mempool_resize(pool, 0) == -1 && errno == EINVAL);
    CHECK(slub_mempool_resize(pool, 65536) == -1 && errno == EINVAL);
    CHECK(slub_mempool_resize(pool, LIMIT + 1) == -1 && errno == ENOMEM);
    CHECK(slub_mempool_resize(pool, LIMIT) == 0 && slub_kmem_cache_used(cache) == LIMIT);
    size_t count = exhaust(objects);
    CHECK_AT(count == LIMIT, count);
    for (size_t i = 0; i < count; i++) free(objects[i]);
    CHECK(slub_mempool_resize(pool, 2) == 0 && slub_kmem_cache_used(cache) == 2);
    count = exhaust(objects);
    CHECK_AT(count == LIMIT, count);
    for (size_t i = 0; i < count; i++) slub_kmem_cache_free(cache, objects[i]);
    CHECK(slub_mempool_resize(pool, RESERVE) == 0);
    /* Not below what is in use of it, for which the limit of the cache would not count then. */
    count = exhaust(objects);
    CHECK(slub_mempool_resize(pool, 2) == -1 && errno == EBUSY);
    for (size_t i = 0; i < count; i++) slub_kmem_cache_free(cache, objects[i]);
}

static void errors(void) {
    CHECK(REFUSED(EINVAL, slub_mempool_create(0, cache)));
    CHECK(REFUSED(EINVAL, slub_mempool_create(-1, cache)));
    CHECK(REFUSED(EINVAL, slub_mempool_create(65536, cache)));
    CHECK(REFUSED(ENOMEM, slub_mempool_create(LIMIT, cache)));
    CHECK(REFUSED(EINVAL, slub_mempool_alloc(pool, SLUB_GFP_KERNEL | SLUB___GFP_ZERO)));
    CHECK(REFUSED(EINVAL, slub_mempool_alloc(pool, 1u << 31)));
    slub_mempool_free(NULL, pool);
    CHECK(slub_mempool_destroy(NULL) == 0);
    /* The reserve is in use. */
    CHECK(slub_kmem_cache_destroy(cache) == -1 && errno == EBUSY);
    void *objects[LIMIT + 1];
    size_t count = exhaust(objects);
    CHECK(slub_mempool_destroy(pool) == -1 && errno == EBUSY);
    for (size_t i = 0; i < count; i++) slub_mempool_free(objects[i], pool);
}

/* A thread that waits goes on when there is more: a higher limit of the cache, or a larger reserve. */
static void woken_by_room(int is_by_limit) {
    struct slub_kmem_cache *before = cache;
    struct slub_mempool *pool_before = pool;
    cache = plain("few", 100);
    CHECK(slub_kmem_cache_set_limit(cache, 2) == 0 && (pool = slub_mempool_create(1, cache)) != NULL);
    void *held[2] = {slub_mempool_alloc(pool, SLUB_GFP_KERNEL), slub_mempool_alloc(pool, SLUB_GFP_KERNEL)}, *got = NULL;
    CHECK(held[0] && held[1] && REFUSED(ENOMEM, slub_mempool_alloc(pool, SLUB_GFP_NOWAIT)));
    pthread_t thread;
    waiting = 0;
    CHECK(pthread_create(&thread, NULL, waits, NULL) == 0);
    while (!waiting) usleep(1000);
    usleep(20 * 1000);
    CHECK(slub_kmem_cache_set_limit(cache, 3) == 0);
    if (!is_by_limit) CHECK(slub_mempool_resize(pool, 2) == 0 || errno == ENOMEM);
    CHECK(pthread_join(thread, &got) == 0 && got != NULL && got != held[0] && got != held[1]);
    slub_mempool_free(got, pool), slub_mempool_free(held[0], pool), slub_mempool_free(held[1], pool);
    CHECK(slub_mempool_destroy(pool) == 0 && slub_kmem_cache_destroy(cache) == 0);
    cache = before, pool = pool_before;
}

/* As in the kernel, where the flag reaches the allocation below: it passes the limit, and waits for nobody. */
static void never_fails(void) {
    struct slub_kmem_cache *few = plain("few", 60);
    CHECK(slub_kmem_cache_set_limit(few, 1) == 0);
    struct slub_mempool *one = slub_mempool_create(1, few);
    void *first = slub_mempool_alloc(one, SLUB_GFP_KERNEL);
    void *second = slub_mempool_alloc(one, SLUB_GFP_KERNEL | SLUB___GFP_NOFAIL);
    CHECK(first != NULL && second != NULL && first != second);
    slub_mempool_free(second, one), slub_mempool_free(first, one);
    CHECK(slub_mempool_destroy(one) == 0 && slub_kmem_cache_destroy(few) == 0);
}

static void without_constructor(void) {
    struct slub_kmem_cache *plain_one = plain("plain", 5000);
    struct slub_mempool *large = slub_mempool_create(3000, plain_one);
    CHECK(large != NULL && slub_kmem_cache_used(plain_one) == 3000);
    static void *objects[4000];
    for (int i = 0; i < 4000; i++) {
        CHECK((objects[i] = slub_mempool_alloc(large, SLUB_GFP_KERNEL)) != NULL);
        memset(objects[i], i, 5000);
    }
    for (int i = 0; i < 4000; i++) slub_mempool_free(objects[i], large);
    CHECK(slub_mempool_destroy(large) == 0 && slub_kmem_cache_used(plain_one) == 0);
    CHECK(slub_kmem_cache_destroy(plain_one) == 0);
    struct slub_kmem_cache *typesafe = slub_kmem_cache_create("typesafe", 64, 0, SLUB_TYPESAFE_BY_RCU, NULL);
    struct slub_mempool *kept = slub_mempool_create(4, typesafe);
    CHECK(kept != NULL);
    unsigned long long period = slub_rcu_begin();
    CHECK(slub_rcu_end(period) == 0);
    CHECK(slub_mempool_destroy(kept) == 0 && slub_kmem_cache_destroy(typesafe) == 0);
    CHECK(slub_rcu_end(slub_rcu_begin()) == 0);
}

int main(void) {
    malloc_is_ours();
    struct slub_kmem_cache_args args = {.size = sizeof args, .ctor = constructs, .limit = LIMIT};
    cache = slub_kmem_cache_create_args("elements", 100, &args, 0);
    CHECK(cache != NULL);
    pool = slub_mempool_create(RESERVE, cache);
    CHECK(pool != NULL && slub_kmem_cache_used(cache) == RESERVE && constructed == RESERVE);
    errors();
    for (int how = 0; how < 6; how++) fails_or_waits(how);
    reserve_is_constructed_once();
    resizes();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, works, NULL) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(slub_kmem_cache_used(cache) == RESERVE);
    CHECK(slub_mempool_destroy(pool) == 0);
    CHECK(slub_kmem_cache_used(cache) == 0 && slub_kmem_cache_destroy(cache) == 0);
    without_constructor();
    never_fails();
    woken_by_room(1), woken_by_room(0);
    puts("ok");
    return 0;
}
