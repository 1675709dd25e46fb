/* Shrinkers: who is called when, what comes of it, and that none is called where it must not be. */
#include "kmem.h"
#include <sys/wait.h>

enum { BLOCK = 30000, MOST = 20000, THREADS = 4 };

/* A cache of the program's own: a stack of blocks that it can do without. */
static void *kept[MOST];
static size_t count_kept;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int scans, is_filling, is_nested, allocates, refusals, waits_for_lock, stops, purge_scans;
static _Thread_local int depth, own_thread;

static unsigned long counts_kept(void *context) {
    CHECK(context == kept);
    return is_filling ? SLUB_SHRINK_EMPTY : __atomic_load_n(&count_kept, __ATOMIC_RELAXED);
}

static unsigned long gives_up(void *context, unsigned long objects) {
    CHECK(context == kept && objects >= 1 && objects <= 128);
    __atomic_fetch_add(&scans, 1, __ATOMIC_RELAXED);
    if (!own_thread) __atomic_fetch_add(&purge_scans, 1, __ATOMIC_RELAXED);
    if (depth++) is_nested = 1;
    /* What it allocates itself may fail, and calls no shrinker. */
    if (allocates) {
        void *more = slub_kmalloc(40 << 20, SLUB_GFP_KERNEL);
        refusals += more == NULL;
        free(more);
    }
    unsigned long gone = 0;
    if (waits_for_lock ? pthread_mutex_lock(&lock) : pthread_mutex_trylock(&lock)) {
        depth--;
        stops++;
        return SLUB_SHRINK_STOP;
    }
    while (gone < objects && count_kept > 0) {
        free(kept[--count_kept]);
        gone++;
    }
    pthread_mutex_unlock(&lock);
    depth--;
    return gone;
}

/* Until nothing more is available. */
static void fill(void) {
    is_filling = 1;
    void *block;
    while (count_kept < MOST && (block = slub_kmalloc(BLOCK, SLUB_GFP_KERNEL)) != NULL) kept[count_kept++] = memset(block, 1, BLOCK);
    CHECK_AT(errno == ENOMEM && count_kept > 500 && count_kept < MOST, count_kept);
    is_filling = 0;
}

static void drain(void) {
    while (count_kept > 0) free(kept[--count_kept]);
}

/* Everything works on as long as there is something to give up. */
static void makes_room(void) {
    fill();
    struct slub_shrinker *shrinker = slub_register_shrinker("kept blocks", counts_kept, gives_up, kept, SLUB_SHRINK_DIRECT);
    CHECK(shrinker != NULL && scans == 0);
    size_t before = count_kept;
    static void *held[MOST];
    size_t count = 0;
    /* By malloc, kmalloc, pages, caches, realloc and for huge blocks. */
    struct slub_kmem_cache *cache = plain("pressed", 3000);
    for (; count < 300; count++) CHECK((held[count] = count % 2 ? malloc(BLOCK) : slub_kmalloc(BLOCK, SLUB_GFP_KERNEL)) != NULL);
    CHECK(scans > 0 && count_kept < before);
    void *huge = malloc(6 << 20), *grown = realloc(malloc(100), 5 << 20);
    unsigned long pages = slub___get_free_pages(SLUB_GFP_KERNEL, 9);
    CHECK_AT(huge && grown && pages, (huge != NULL) + 2 * (grown != NULL) + 4 * (pages != 0));
    void *objects[1000];
    for (int i = 0; i < 1000; i++) CHECK((objects[i] = slub_kmem_cache_alloc(cache, SLUB_GFP_KERNEL)) != NULL);
    slub_kmem_cache_free_bulk(cache, 1000, objects);
    free(huge), free(grown), slub_free_pages(pages, 9);
    while (count > 0) free(held[--count]);
    CHECK(slub_kmem_cache_destroy(cache) == 0);
    /* Nothing is given up for what can never be had. */
    fill();
    before = count_kept;
    int called = scans;
    CHECK(malloc((size_t)1 << 40) == NULL && count_kept == before && scans == called);
    /* Who must not wait does without. */
    for (int i = 0; i < 50; i++) free(slub_kmalloc(9 << 20, SLUB_GFP_NOWAIT));
    CHECK(scans == called && count_kept == before);
    /* A lock that the thread holds itself: the shrinker says so, and the request fails. */
    pthread_mutex_lock(&lock);
    CHECK(REFUSED(ENOMEM, slub_kmalloc(9 << 20, SLUB_GFP_KERNEL)) && stops > 0 && count_kept == before);
    pthread_mutex_unlock(&lock);
    allocates = 1;
    void *block = slub_kmalloc(9 << 20, SLUB_GFP_KERNEL);
    CHECK(block != NULL && refusals > 0 && !is_nested);
    free(block);
    allocates = 0;
    /* A child of a fork has them, too. */
    fill();
    pid_t child = fork();
    if (child == 0) {
        block = malloc(9 << 20);
        _exit(block != NULL && slub_unregister_shrinker(shrinker) == 0 ? 0 : 1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(slub_unregister_shrinker(shrinker) == 0);
    called = scans;
    errno = 0;
    CHECK(slub_unregister_shrinker(shrinker) == -1 && errno == EINVAL);
    CHECK(REFUSED(ENOMEM, slub_kmalloc(9 << 20, SLUB_GFP_KERNEL)) && scans == called);
    drain();
}

static struct slub_shrinker *itself;
static int may_fail, began, ended, answer;

static unsigned long one(void *context) {
    (void)context;
    return 1;
}

static unsigned long slow(void *context, unsigned long objects) {
    (void)context, (void)objects;
    __atomic_store_n(&began, 1, __ATOMIC_SEQ_CST);
    errno = 0;
    answer = slub_unregister_shrinker(itself);
    CHECK(answer == -1 && errno == EBUSY);
    usleep(100 * 1000);
    __atomic_store_n(&ended, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void *fails(void *unused) {
    (void)unused;
    own_thread = 1;
    while (!__atomic_load_n(&may_fail, __ATOMIC_SEQ_CST)) usleep(1000);
    CHECK(slub_kmalloc(40 << 20, SLUB_GFP_KERNEL) == NULL);
    return NULL;
}

/* Who unregisters one waits for its end. */
static void waits(void) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, fails, NULL) == 0);
    fill();
    CHECK((itself = slub_register_shrinker("slow", one, slow, NULL, SLUB_SHRINK_DIRECT)) != NULL);
    __atomic_store_n(&may_fail, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&began, __ATOMIC_SEQ_CST)) usleep(1000);
    CHECK(slub_unregister_shrinker(itself) == 0 && __atomic_load_n(&ended, __ATOMIC_SEQ_CST));
    CHECK(pthread_join(thread, NULL) == 0);
    drain();
}

static void *presses(void *unused) {
    (void)unused;
    own_thread = 1;
    for (int round = 0; round < 300; round++) {
        void *blocks[20];
        for (int i = 0; i < 20; i++) CHECK((blocks[i] = malloc(BLOCK)) != NULL);
        for (int i = 0; i < 20; i++) {
            /* Half of them can be done without. */
            if (i % 2 == 0 && pthread_mutex_trylock(&lock) == 0) {
                if (count_kept < MOST) kept[count_kept++] = blocks[i], blocks[i] = NULL;
                pthread_mutex_unlock(&lock);
            }
            free(blocks[i]);
        }
    }
    return NULL;
}

/* Several threads at once; none is refused. They hold the lock for a moment and allocate nothing then, so it may be waited for. */
static void beside_others(void) {
    waits_for_lock = 1;
    struct slub_shrinker *shrinker = slub_register_shrinker("shared", counts_kept, gives_up, kept, SLUB_SHRINK_DIRECT);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, presses, NULL) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(slub_unregister_shrinker(shrinker) == 0);
    drain();
}

static void refuses_nonsense(void) {
    CHECK(REFUSED(EINVAL, slub_register_shrinker(NULL, one, slow, NULL, 0)));
    CHECK(REFUSED(EINVAL, slub_register_shrinker("x", NULL, slow, NULL, 0)));
    CHECK(REFUSED(EINVAL, slub_register_shrinker("x", one, NULL, NULL, 0)));
    CHECK(REFUSED(EINVAL, slub_register_shrinker("x", one, slow, NULL, 2)));
    CHECK(slub_unregister_shrinker(NULL) == 0);
    struct slub_shrinker *all[256];
    for (int i = 0; i < 256; i++) CHECK((all[i] = slub_register_shrinker("x", one, slow, NULL, 0)) != NULL);
    CHECK(REFUSED(ENOMEM, slub_register_shrinker("x", one, slow, NULL, 0)));
    for (int i = 0; i < 256; i++) CHECK(slub_unregister_shrinker(all[i]) == 0);
}

/* With a thread that gives memory back: it runs those that are not direct, soon after a request was refused. */
static void on_the_purge_thread(void) {
    fill();
    struct slub_shrinker *shrinker = slub_register_shrinker("in the background", counts_kept, gives_up, kept, 0);
    CHECK(REFUSED(ENOMEM, slub_kmalloc(9 << 20, SLUB_GFP_KERNEL)));
    for (int i = 0; i < 10000 && __atomic_load_n(&purge_scans, __ATOMIC_RELAXED) == 0; i++) usleep(1000);
    CHECK(purge_scans > 0);
    CHECK(slub_unregister_shrinker(shrinker) == 0);
    CHECK(count_kept == 0 && slub_kmalloc(9 << 20, SLUB_GFP_KERNEL) != NULL);
}

int main(int argc, char **argv) {
    malloc_is_ours();
    own_thread = 1;
    if (argc > 1 && !strcmp(argv[1], "background")) {
        on_the_purge_thread();
    } else {
        refuses_nonsense();
        makes_room();
        waits();
        beside_others();
        CHECK(purge_scans == 0);
    }
    puts("ok");
    return 0;
}
