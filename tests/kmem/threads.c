/* Caches across threads: objects that change hands, threads that end, forks, caches that come and go beside each other. */
#include "kmem.h"
#include <sys/wait.h>

#define THREADS 8
#define COUNT 2000

static struct slub_kmem_cache *shared;
static void *handed[THREADS][COUNT];
static pthread_barrier_t barrier;

static void *hands_over(void *number) {
    size_t own = (size_t)number, from = (own + 1) % THREADS;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < COUNT; i++) {
            size_t *object = handed[own][i] = slub_kmem_cache_alloc(shared, SLUB_GFP_KERNEL);
            CHECK(object != NULL);
            object[0] = own * COUNT + i;
        }
        pthread_barrier_wait(&barrier);
        for (int i = 0; i < COUNT; i++) {
            size_t *object = handed[from][i];
            CHECK(object[0] == from * COUNT + i);
            slub_kmem_cache_free(shared, object);
        }
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void *comes_and_goes(void *number) {
    for (int round = 0; round < 200; round++) {
        struct slub_kmem_cache *own = plain("own", 16 + 8 * (unsigned)(size_t)number);
        void *objects[40];
        CHECK(slub_kmem_cache_alloc_bulk(own, SLUB_GFP_KERNEL, 40, objects) == 40);
        slub_kmem_cache_free_bulk(own, 40, objects);
        CHECK(slub_kmem_cache_destroy(own) == 0);
    }
    return NULL;
}

static void *takes_a_few(void *unused) {
    (void)unused;
    void *objects[100];
    CHECK(slub_kmem_cache_alloc_bulk(shared, SLUB_GFP_KERNEL, 100, objects) == 100);
    slub_kmem_cache_free_bulk(shared, 100, objects);
    return NULL;
}

static void run(void *(*what)(void *), int threads) {
    pthread_t all[64];
    for (long i = 0; i < threads; i++) CHECK(pthread_create(&all[i], NULL, what, (void *)i) == 0);
    for (int i = 0; i < threads; i++) CHECK(pthread_join(all[i], NULL) == 0);
}

static volatile int is_over;

static void *churns(void *unused) {
    (void)unused;
    while (!is_over) takes_a_few(NULL);
    return NULL;
}

int main(void) {
    malloc_is_ours();
    CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    shared = plain("shared", 72);
    run(hands_over, THREADS);
    CHECK(slub_kmem_cache_used(shared) == 0);
    run(comes_and_goes, THREADS);
    /* Each thread that ends gives back what it had at hand: the objects of a thousand are not more than those of one. */
    run(takes_a_few, 1);
    slub_kmem_cache_shrink(shared);
    for (int i = 0; i < 20; i++) run(takes_a_few, 50);
    slub_kmem_cache_set_limit(shared, 300);
    run(takes_a_few, 1);
    slub_kmem_cache_set_limit(shared, (size_t)-1);
    /* A child has the caches whole. */
    pthread_t others[3];
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&others[i], NULL, churns, NULL) == 0);
    for (int round = 0; round < 100; round++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            takes_a_few(NULL);
            struct slub_kmem_cache *own = plain("child's", 40);
            void *object = slub_kmem_cache_alloc(own, SLUB_GFP_KERNEL);
            slub_kmem_cache_free(own, object);
            CHECK(slub_kmem_cache_destroy(own) == 0);
            run(takes_a_few, 3);
            _exit(0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    is_over = 1;
    for (int i = 0; i < 3; i++) CHECK(pthread_join(others[i], NULL) == 0);
    CHECK(slub_kmem_cache_destroy(shared) == 0);
    puts("ok");
    return 0;
}
