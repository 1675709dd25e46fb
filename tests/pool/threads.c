/* Pools of several threads, frees from all of them, ends of threads and forks; a pool's end needs no other thread. */
#include "pool.h"
#include <stdatomic.h>
#include <sys/wait.h>

enum { THREADS = 6, ROUNDS = 40, SLOTS = 64, FORKS = 60 };

static struct slub_pool *shared;
static _Atomic(unsigned char *) slots[SLOTS];
static atomic_int stop;

static void put(struct slub_pool *pool, unsigned *state) {
    size_t size = next_random(state) % 40 ? 1 + next_random(state) % 2000 : 1 + next_random(state) % (200 * KIB);
    unsigned char *block = slub_pool_malloc(pool, size);
    CHECK(block != NULL);
    block[0] = 7;
    block[size - 1] = 7;
    unsigned char *old = atomic_exchange(&slots[next_random(state) % SLOTS], block);
    if (old != NULL) {
        CHECK(old[0] == 7);
        if (next_random(state) % 2) free(old);
        else slub_pool_free(pool, old);
    }
}

static void *churn(void *argument) {
    unsigned state = (unsigned)(uintptr_t)argument;
    for (int i = 0; i < 20000; i++) put(shared, &state);
    return NULL;
}

static void *churn_on(void *argument) {
    unsigned state = (unsigned)(uintptr_t)argument;
    while (!atomic_load(&stop)) put(shared, &state);
    return NULL;
}

static void forget(void) {
    for (int i = 0; i < SLOTS; i++) atomic_store(&slots[i], NULL);
}

int main(void) {
    malloc_is_ours();
    pthread_t threads[THREADS];
    shared = pool_with("shared", 0, NULL, 0);
    for (int round = 0; round < ROUNDS / 10; round++) {
        for (int i = 0; i < THREADS; i++)
            CHECK(pthread_create(&threads[i], NULL, churn, (void *)(uintptr_t)(round * THREADS + i + 1)) == 0);
        for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
        /* No thread has anything of it any more, whether it has ended or not. */
        forget();
        CHECK(slub_pool_reset(shared, 0) == 0 && slub_pool_used(shared) == 0);
    }
    /* A child finds every pool whole, at any moment. */
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, churn_on, (void *)(uintptr_t)(i + 1)) == 0);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            unsigned state = 99;
            for (int k = 0; k < 50; k++) CHECK(slub_pool_malloc(shared, 1 + next_random(&state) % 3000) != NULL);
            struct slub_pool *own = pool_with("child", 0, shared, 0);
            CHECK(slub_pool_malloc(own, 1000) != NULL);
            CHECK(slub_pool_destroy(own, 0) == 0);
            CHECK(slub_pool_destroy(shared, 0) == 0);
            _exit(0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(slub_pool_destroy(shared, 0) == 0);
    puts("ok");
    return 0;
}
