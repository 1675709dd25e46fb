/*
 * malloc_trim gives back what is not in use, at once and also what four other threads have at hand, and says whether
 * there was any.
 */
#include "back.h"

enum { THREADS = 4 };
static pthread_barrier_t all_arrived;

static void all_arrive(void) { pthread_barrier_wait(&all_arrived); }

static void *works_and_goes_on(void *number) {
    struct burst burst = new_burst(32 * MIB, 16, 64 * KIB, (uintptr_t)number);
    for (int round = 0; round < 3; round++) {
        grow_to(&burst, 2 * MIB);
        all_arrive();
        all_arrive();
        grow_to(&burst, 32 * MIB);
        shrink_to(&burst, burst.count / 1000);
        all_arrive();
        all_arrive();
        is_whole(&burst);
    }
    end_burst(&burst);
    return NULL;
}

int main(void) {
    slubmalloc_is_in_charge();
    CHECK(pthread_barrier_init(&all_arrived, NULL, THREADS + 1) == 0);
    malloc_trim(0);
    /* Nothing is unused after these. */
    for (size_t size = 16; size <= 32 * KIB; size *= 2) {
        void *block = malloc(size);
        CHECK_AT(block != NULL, size);
        memset(block, 1, size);
        CHECK_AT(libc_allowed() || malloc_trim(0) == 0, size);
        free(block);
        malloc_trim(0);
    }
    pthread_t workers[THREADS];
    start(workers, THREADS, works_and_goes_on);
    for (int round = 0; round < 3; round++) {
        all_arrive();
        size_t before = resident();
        all_arrive();
        all_arrive();
        RESIDENT_AT_LEAST(before + 64 * MIB);
        CHECK(malloc_trim(0) == 1);
        RESIDENT_AT_MOST(before + 8 * MIB);
        CHECK(libc_allowed() || malloc_trim(0) == 0);
        all_arrive();
    }
    join(workers, THREADS);
    return done();
}
