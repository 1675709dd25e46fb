/* Constructors and destructors run with no lock held: while one waits, other threads use all of the library. */
#include "kmem.h"
#include <sys/wait.h>

#ifndef API
#include <malloc.h>
#endif

static struct slub_kmem_cache *cache;
static pthread_barrier_t inside, done_beside;
static pthread_t waits;
static int is_hook_to_wait;

/* Waits in the thread that is to, once. */
static void hook(void *object) {
    memset(object, 5, 300);
    if (!pthread_equal(pthread_self(), waits) || !is_hook_to_wait) return;
    is_hook_to_wait = 0;
    pthread_barrier_wait(&inside);
    pthread_barrier_wait(&done_beside);
}

static void *works(void *nothing) {
    (void)nothing;
    static void *objects[300];
    waits = pthread_self();
    for (int turn = 0; turn < 2; turn++) {
        /* The constructor first, then the destructor. */
        is_hook_to_wait = turn == 0;
        CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 300, objects) == 300);
        is_hook_to_wait = turn == 1;
        slub_kmem_cache_free_bulk(cache, 300, objects);
        slub_kmem_cache_shrink(cache);
        CHECK_AT(!is_hook_to_wait, turn);
    }
    return NULL;
}

static void uses_all(void) {
    void *objects[400];
    CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 400, objects) == 400);
    slub_kmem_cache_free_bulk(cache, 400, objects);
    CHECK(slub_kmem_cache_used(cache) <= 300);
    slub_kmem_cache_shrink(cache);
    struct slub_kmem_cache *other = plain("other", 300);
    slub_kmem_cache_free(other, slub_kmem_cache_alloc(other, SLUB_GFP_KERNEL));
    CHECK(slub_rcu_end(slub_rcu_begin()) == 0);
    CHECK(slub_kmem_cache_destroy(other) == 0);
    for (size_t size = 1; size < 30 << 20; size *= 2) free(memset(malloc(size), 1, size));
    malloc_trim(0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(slub_kmem_cache_alloc_bulk(cache, SLUB_GFP_KERNEL, 400, objects) == 400);
        _exit(0);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(void) {
    malloc_is_ours();
    CHECK(pthread_barrier_init(&inside, NULL, 2) == 0 && pthread_barrier_init(&done_beside, NULL, 2) == 0);
    struct slub_kmem_cache_args args = {.size = sizeof args, .ctor = hook, .dtor = hook};
    cache = slub_kmem_cache_create_args("hooks", 300, &args, 0);
    CHECK(cache != NULL);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, works, NULL) == 0);
    for (int turn = 0; turn < 2; turn++) {
        pthread_barrier_wait(&inside);
        uses_all();
        pthread_barrier_wait(&done_beside);
    }
    CHECK(pthread_join(thread, NULL) == 0 && slub_kmem_cache_destroy(cache) == 0);
    puts("ok");
    return 0;
}
