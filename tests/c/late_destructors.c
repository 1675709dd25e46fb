/*
 * Threads whose pthread keys have destructors that allocate, free, and set their key again, as often as libc calls them: before
 * the heap has heard of the thread's end, and after. The keys are made before and after the heap's own could be.
 */
#include "check.h"
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

enum { KEYS = 8, BIRTHS = 2000 };
static pthread_key_t keys[KEYS];
static atomic_size_t calls;

/* A block of what is still to be done, and of how often. */
static void allocates_again(void *value) {
    size_t *block = value, left = block[0], number = block[1];
    CHECK(left < 100 && number < KEYS);
    calls++;
    for (int i = 0; i < 20; i++) {
        void *other = malloc((size_t)16 << i % 12);
        CHECK(other != NULL);
        free(other);
    }
    free(block);
    if (left == 0) return;
    block = malloc(2 * sizeof *block);
    CHECK(block != NULL);
    block[0] = left - 1;
    block[1] = number;
    CHECK(pthread_setspecific(keys[number], block) == 0);
}

static void *works(void *unused) {
    for (size_t i = 0; i < KEYS; i++) {
        size_t *block = malloc(2 * sizeof *block);
        CHECK(block != NULL);
        /* The last time that libc calls it, it sets nothing. */
        block[0] = PTHREAD_DESTRUCTOR_ITERATIONS - 1;
        block[1] = i;
        CHECK(pthread_setspecific(keys[i], block) == 0);
    }
    return unused;
}

static void *allocates(void *unused) {
    free(escape(malloc(100)));
    return unused;
}

static void run(void *(*work)(void *)) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, work, NULL) == 0 && pthread_join(thread, NULL) == 0);
}

int main(void) {
    slubmalloc_is_in_charge();
    for (int i = 0; i < KEYS / 2; i++) CHECK(pthread_key_create(&keys[i], allocates_again) == 0);
    run(allocates);
    for (int i = KEYS / 2; i < KEYS; i++) CHECK(pthread_key_create(&keys[i], allocates_again) == 0);
    for (int i = 0; i < BIRTHS; i++) run(works);
    CHECK(calls == (size_t)BIRTHS * KEYS * PTHREAD_DESTRUCTOR_ITERATIONS);
    return done();
}
