/*
 * The main thread frees hundreds of MiB within a few milliseconds and then waits, as the other thread did all along:
 * the memory goes nevertheless. Arguments: how many blocks, and how many KiB each has.
 */
#include "back.h"

static pthread_barrier_t meeting;

static void *waits(void *unused) {
    free(malloc(100));
    pthread_barrier_wait(&meeting);
    pthread_barrier_wait(&meeting);
    return unused;
}

int main(int count, char **words) {
    slubmalloc_is_in_charge();
    CHECK(count == 3);
    size_t blocks = strtoul(words[1], NULL, 10), size = strtoul(words[2], NULL, 10) * KIB;
    CHECK(pthread_barrier_init(&meeting, NULL, 2) == 0);
    pthread_t other;
    start(&other, 1, waits);
    pthread_barrier_wait(&meeting);
    void **all = malloc(blocks * sizeof *all);
    memset(all, 0, blocks * sizeof *all);
    size_t before = resident();
    for (size_t i = 0; i < blocks; i++) {
        CHECK_AT((all[i] = malloc(size)) != NULL, i);
        paint(all[i], size, (unsigned)i);
    }
    RESIDENT_AT_LEAST(before + blocks * size);
    for (size_t i = 0; i < blocks; i++) free(all[i]);
    COMES(resident() <= before + 8 * MIB, 5);
    RESIDENT_AT_MOST(before + 8 * MIB);
    pthread_barrier_wait(&meeting);
    join(&other, 1);
    free(all);
    return done();
}
