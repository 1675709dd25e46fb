/*
 * A library whose constructor and destructor wait for threads that use the heap for the first time meanwhile, while the
 * loader holds its lock. -DVARIANT: 0 the constructor starts and joins threads; 1 the destructor joins a thread that has
 * waited for it to allocate; 2 both wait for a mutex of the program's that another thread holds while it allocates.
 */
#include "check.h"
#include <pthread.h>
#include <semaphore.h>

enum { THREADS = 2 };
static sem_t may_allocate;
static pthread_t threads[THREADS];

/* Defined by the program. */
void wait_for_the_mutex(void);

/* Small ones, a large one, and so much that the heap may want a thread of its own. */
static void *uses_the_heap(void *unused) {
    void *blocks[24];
    for (size_t i = 0; i < 24; i++) {
        size_t size = i < 16 ? (size_t)16 << i % 8 : 3 * MIB;
        CHECK((blocks[i] = malloc(size)) != NULL);
        memset(blocks[i], 1, size);
    }
    for (size_t i = 0; i < 24; i++) free(blocks[i]);
    return unused;
}

static void *waits_and_uses_the_heap(void *unused) {
    while (sem_wait(&may_allocate) != 0) continue;
    return uses_the_heap(unused);
}

static void start(void *(*work)(void *)) {
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
}

static void join(void) {
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

__attribute__((constructor)) static void is_opened(void) {
    CHECK(sem_init(&may_allocate, 0, 0) == 0);
    if (VARIANT == 0) {
        start(uses_the_heap);
        join();
    }
    if (VARIANT == 1) start(waits_and_uses_the_heap);
    if (VARIANT == 2) wait_for_the_mutex();
}

__attribute__((destructor)) static void is_closed(void) {
    if (VARIANT == 0) {
        start(uses_the_heap);
        join();
    }
    if (VARIANT == 1) {
        for (int i = 0; i < THREADS; i++) CHECK(sem_post(&may_allocate) == 0);
        join();
    }
    if (VARIANT == 2) wait_for_the_mutex();
}
