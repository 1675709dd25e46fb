/*
 * Threads that allocate, free and end, and a main thread that joins them: libc then frees the stacks it kept, with a lock
 * held that starting a thread needs. An allocator that would start one in free would wait for itself.
 */
#include "check.h"
#include <pthread.h>

enum { THREADS = 300 };

static void *works(void *unused) {
    enum { BLOCKS = 2000 };
    static __thread void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) CHECK((blocks[i] = malloc(16 + (size_t)i % 500)) != NULL);
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    return unused;
}

int main(void) {
    slubmalloc_is_in_charge();
    /* Enough in use that there would be a purge thread. */
    void *much[64];
    for (int i = 0; i < 64; i++) CHECK((much[i] = malloc(MIB)) != NULL);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, works, NULL) == 0);
    for (int i = 0; i < 64; i++) free(much[i]);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    return done();
}
