/* A thread's malloc that comes from a pool: what is of it and what is not, nesting, threads, forks, ends of pools, handlers. */
#include "pool.h"
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

/* Of malloc's functions the api library has this one. */
#define OBTAIN(size) realloc(NULL, size)
#define RESIZE realloc
#define GIVE free

static int of(struct slub_pool *pool, void *block) {
    CHECK(block != NULL);
    return slub_pool_of(block) == pool;
}

static void families(struct slub_pool *pool) {
    size_t usable;
    static const size_t sizes[] = {0, 1, 100, 1024, 1025, 40000, 49153, 200 * KIB, 5 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *block = OBTAIN(sizes[i]);
        CHECK(of(pool, block));
        GIVE(block);
        block = slubmalloc_alloc_at_least(sizes[i], &usable);
        CHECK(of(pool, block) && usable >= sizes[i]);
        GIVE(block);
#ifndef API
        unsigned char *zeroes = calloc(1, sizes[i]);
        CHECK(of(pool, zeroes));
        for (size_t k = 0; k < sizes[i]; k++) CHECK(zeroes[k] == 0);
        free(zeroes);
        block = aligned_alloc(4096, sizes[i]);
        CHECK(of(pool, block) && (uintptr_t)block % 4096 == 0);
        free(block);
        CHECK(posix_memalign(&block, 64, sizes[i]) == 0 && of(pool, block) && (uintptr_t)block % 64 == 0);
        free(block);
#endif
    }
#ifndef API
    char *text = strdup("a text of the program's");
    CHECK(of(pool, text));
    free(text);
    CHECK(malloc(PTRDIFF_MAX) == NULL && errno == ENOMEM);
#endif
    CHECK(of(NULL, slub_kmalloc(100, SLUB_GFP_KERNEL)) && of(NULL, slub_vmalloc(10000)) && of(NULL, slub_vzalloc(200 * KIB)));
    CHECK(of(NULL, slub_kmalloc(100, SLUB_GFP_NOWAIT)) && of(NULL, slub_kmalloc(300 * KIB, SLUB_GFP_KERNEL)));
    CHECK(of(NULL, (void *)slub_get_zeroed_page(SLUB_GFP_KERNEL)));
    struct slub_kmem_cache *cache = slub_kmem_cache_create("pushed", 40, 0, 0, NULL);
    CHECK(of(NULL, slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL)));
}

/* What moves stays where it was. */
static void resized(struct slub_pool *pool) {
    unsigned char *outside[40], *inside[40];
    for (int i = 0; i < 40; i++) outside[i] = OBTAIN(24 << i / 4);
    CHECK(slub_pool_push(pool) == 0);
    for (int i = 0; i < 40; i++) {
        CHECK(of(NULL, outside[i]));
        inside[i] = OBTAIN(24 << i / 4);
        CHECK(of(pool, inside[i]));
        memset(outside[i], i, 24 << i / 4);
        memset(inside[i], 100 + i, 24 << i / 4);
    }
    for (int i = 0; i < 40; i++) CHECK(of(NULL, outside[i] = RESIZE(outside[i], 200 << i / 4)) && outside[i][20] == i);
    CHECK(slub_pool_pop(pool) == 0);
    for (int i = 0; i < 40; i++) {
        CHECK(of(pool, inside[i] = RESIZE(inside[i], 200 << i / 4)) && inside[i][20] == 100 + i);
        GIVE(inside[i]);
        GIVE(outside[i]);
    }
}

static void *gets_none(void *argument) {
    (void)argument;
    CHECK(of(NULL, OBTAIN(100)));
    return NULL;
}

static void *forgets_to_pop(void *argument) {
    CHECK(slub_pool_push(argument) == 0);
    CHECK(of(argument, OBTAIN(100)));
    return NULL;
}

static void *pushes_its_own(void *argument) {
    unsigned state = (unsigned)(uintptr_t)&state;
    (void)argument;
    for (int round = 0; round < 300; round++) {
        struct slub_pool *pool = pool_with("own", 0, NULL, round % 2 ? SLUB_POOL_SINGLE_THREAD : 0);
        CHECK(slub_pool_push(pool) == 0);
        for (int i = 0; i < 100; i++) {
            unsigned char *block = OBTAIN(next_random(&state) % (i % 10 ? 2000 : 100000));
            CHECK(of(pool, block));
            if (i % 3 == 0) GIVE(block);
        }
        CHECK(slub_pool_pop(pool) == 0);
        CHECK(of(NULL, OBTAIN(50)));
        CHECK(slub_pool_destroy(pool, SLUB_POOL_FORCE) == 0);
    }
    return NULL;
}

static void nested(void) {
    struct slub_pool *pools[64];
    for (int i = 0; i < 64; i++) CHECK(slub_pool_push(pools[i] = pool_with("level", 0, NULL, 0)) == 0);
    CHECK(slub_pool_push(pools[0]) == -1 && errno == ENOMEM);
    for (int i = 0; i < 1000; i++) CHECK(slub_pool_push(pools[63]) == 0);
    for (int i = 0; i < 1000; i++) CHECK(slub_pool_pop(pools[63]) == 0);
    CHECK(of(pools[63], OBTAIN(10)));
    /* Those that are gone are passed over. */
    CHECK(slub_pool_destroy(pools[63], SLUB_POOL_FORCE) == 0 && slub_pool_release(pools[61]) == 0);
    CHECK(of(pools[62], OBTAIN(10)));
    CHECK(slub_pool_pop(pools[63]) == 0 && slub_pool_pop(pools[62]) == 0);
    CHECK(of(pools[60], OBTAIN(10)));
    CHECK(slub_pool_pop(pools[61]) == 0);
    for (int i = 60; i > 0; i--) CHECK(slub_pool_pop(pools[i]) == 0);
    CHECK(of(pools[0], OBTAIN(10)));
    CHECK(slub_pool_destroy(pools[0], SLUB_POOL_FORCE) == 0);
    CHECK(of(NULL, OBTAIN(10)));
    CHECK(slub_pool_pop(pools[0]) == 0);
    CHECK(of(NULL, OBTAIN(10)));
}

static void limited(void) {
    struct slub_pool *pool = pool_with("limited", 100 * KIB, NULL, 0);
    void *one = NULL;
    CHECK(slub_pool_push(pool) == 0);
    for (int i = 0; i < 100; i++) CHECK(of(pool, one = OBTAIN(1024)));
    errno = 0;
    CHECK(OBTAIN(1024) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(OBTAIN(1 * MIB) == NULL && errno == ENOMEM);
    GIVE(one);
    CHECK(of(pool, OBTAIN(1024)));
    CHECK(slub_pool_pop(pool) == 0);
    CHECK(of(NULL, OBTAIN(1024)));
}

static struct slub_pool *busy;
static volatile sig_atomic_t handled;

static void on_signal(int signal) {
    (void)signal;
    void *block = OBTAIN(64);
    CHECK(block != NULL);
    GIVE(block);
    handled++;
}

/* A handler's malloc never fails because of what it has interrupted. */
static void interrupted(unsigned flags) {
    busy = pool_with("busy", 0, NULL, flags);
    signal(SIGALRM, on_signal);
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    handled = 0;
    CHECK(slub_pool_push(busy) == 0);
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int i = 0; handled < 200; i++) {
        void *block = OBTAIN(16 + i % 3000);
        CHECK(of(busy, block));
        GIVE(block);
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(slub_pool_pop(busy) == 0);
    CHECK(slub_pool_destroy(busy, SLUB_POOL_FORCE) == 0);
}

int main(void) {
    malloc_is_ours();
    struct slub_pool *pool = pool_with("one", 0, NULL, 0), *other = pool_with("two", 0, NULL, 0);
    void *outside = OBTAIN(100);
    CHECK(of(NULL, outside));
    CHECK(slub_pool_push(pool) == 0);
    families(pool);
    GIVE(outside);
    CHECK(slub_pool_push(other) == 0);
    families(other);
    /* Out of order: a line, and nothing else. */
    CHECK(slub_pool_pop(pool) == -1 && errno == EINVAL);
    CHECK(of(other, OBTAIN(100)));
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, gets_none, NULL) == 0 && pthread_join(thread, NULL) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(of(other, OBTAIN(100)));
        CHECK(slub_pool_pop(other) == 0 && of(pool, OBTAIN(100)) && slub_pool_pop(pool) == 0);
        CHECK(of(NULL, OBTAIN(100)));
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(slub_pool_pop(other) == 0 && of(pool, OBTAIN(100)));
    CHECK(slub_pool_pop(pool) == 0 && of(NULL, OBTAIN(100)));
    CHECK(slub_pool_pop(pool) == -1 && errno == EINVAL);

    /* The end of what was pushed. */
    CHECK(slub_pool_reset(pool, 0) == -1 && errno == EBUSY && slub_pool_destroy(pool, 0) == -1 && errno == EBUSY);
    CHECK(slub_pool_used(pool) > 0);
    CHECK(slub_pool_reset(pool, 2) == -1 && errno == EINVAL);
    CHECK(slub_pool_reset(pool, SLUB_POOL_FORCE) == 0 && slub_pool_used(pool) == 0);
    CHECK(slub_pool_destroy(pool, 0) == -1 && errno == EBUSY && slub_pool_destroy(pool, SLUB_POOL_FORCE) == 0);
    CHECK(slub_pool_release(other) == 0);
    struct slub_pool *never = pool_with("never", 0, NULL, 0);
    CHECK(slub_pool_destroy(never, SLUB_POOL_FORCE) == 0);

    pool = pool_with("again", 0, NULL, 0);
    resized(pool);
    nested();
    limited();
    interrupted(0);
    interrupted(SLUB_POOL_SINGLE_THREAD);
    CHECK(pthread_create(&thread, NULL, forgets_to_pop, pool) == 0 && pthread_join(thread, NULL) == 0);
    pthread_t many[4];
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&many[i], NULL, pushes_its_own, NULL) == 0);
    for (int i = 0; i < 4; i++) CHECK(pthread_join(many[i], NULL) == 0);
    puts("ok");
    return 0;
}
