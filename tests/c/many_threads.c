/* 1,000 threads alive at once with one small block each: memory does not scale with threads. */
#include "check.h"
#include <pthread.h>

enum { THREADS = 1000 };
static pthread_barrier_t all_hold, measured;

static void *holds_one(void *unused) {
    char *block = malloc(100);
    CHECK(block != NULL);
    memset(block, 1, 100);
    pthread_barrier_wait(&all_hold);
    pthread_barrier_wait(&measured);
    free(block);
    return unused;
}

int main(void) {
    slubmalloc_is_in_charge();
    CHECK(pthread_barrier_init(&all_hold, NULL, THREADS + 1) == 0);
    CHECK(pthread_barrier_init(&measured, NULL, THREADS + 1) == 0);
    static pthread_t threads[THREADS];
    pthread_attr_t small_stack;
    CHECK(pthread_attr_init(&small_stack) == 0 && pthread_attr_setstacksize(&small_stack, 64 * KIB) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], &small_stack, holds_one, NULL) == 0);
    pthread_barrier_wait(&all_hold);
    CHECK_AT(resident() < 64 * MIB, resident() / KIB);
    pthread_barrier_wait(&measured);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    return done();
}
