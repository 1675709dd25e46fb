/*
 * malloc_trim beside threads that hold objects: it returns at once where there is nothing to give back; where there is, it costs
 * what the kernel takes for these pages, which are gone then; and no other thread waits for it.
 */
#include "back.h"

enum { THREADS = 4, BLOCKS = 256 };

static int is_over;
static double waits[THREADS];

static double processor_time(clockid_t clock) {
    struct timespec time;
    CHECK(clock_gettime(clock, &time) == 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Holds objects, and says how much processor time and sleep a batch took at most. */
static void *lives(void *number) {
    double *longest = &waits[(uintptr_t)number - 1];
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        double start = now();
        void *blocks[32];
        for (size_t i = 0; i < 32; i++) {
            CHECK((blocks[i] = malloc(32 + i * 50)) != NULL);
            memset(blocks[i], 1, 32);
        }
        for (size_t i = 0; i < 32; i++) free(blocks[i]);
        double spent = now() - start;
        if (spent > *longest) *longest = spent;
        struct timespec pause = {0, 200000};
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* A mapping of as many pages, and what the kernel takes to give them back. */
static char *new_mapping(size_t bytes) {
    char *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapping != MAP_FAILED && madvise(mapping, bytes, MADV_NOHUGEPAGE) == 0);
    memset(mapping, 1, bytes);
    return mapping;
}

static double kernel_time(char *mapping, size_t bytes) {
    double start = processor_time(CLOCK_THREAD_CPUTIME_ID);
    CHECK(madvise(mapping, bytes, MADV_DONTNEED) == 0);
    double spent = processor_time(CLOCK_THREAD_CPUTIME_ID) - start;
    CHECK(munmap(mapping, bytes) == 0);
    return spent;
}

int main(void) {
    slubmalloc_is_in_charge();
    pthread_t threads[THREADS];
    start(threads, THREADS, lives);
    rest(50);
    size_t before = resident();
    double best = 1e9, best_ratio = 1e9, spent = 0, kernel = 0;
    int counts = 1;
    /* On a busy machine a pair of rounds may tell nothing; a trim that is too dear is so in all of them. */
    for (int round = 0; round < 60 && best_ratio > 1.1; round++) {
        /* What was touched last is warm, so they take turns. */
        char *mapping = round % 2 == 0 ? new_mapping(BLOCKS * MIB) : NULL, *blocks[BLOCKS];
        for (size_t i = 0; i < BLOCKS; i++) {
            CHECK((blocks[i] = malloc(MIB)) != NULL);
            memset(blocks[i], 1, MIB);
        }
        for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
        if (mapping == NULL) mapping = new_mapping(BLOCKS * MIB);
        kernel += kernel_time(mapping, BLOCKS * MIB);
        double start = processor_time(CLOCK_THREAD_CPUTIME_ID);
        /* Nothing may be left where a purge was faster. */
        counts &= malloc_trim(0) == 1;
        spent += processor_time(CLOCK_THREAD_CPUTIME_ID) - start;
        RESIDENT_AT_MOST(before + 4 * MIB);
        if (round % 2 == 0) continue;
        say("%.2f ms, only the kernel %.2f\n", spent * 1e3, kernel * 1e3);
        if (counts && spent / kernel < best_ratio) best_ratio = spent / kernel;
        spent = kernel = 0;
        counts = 1;
    }
    /* Time goes by, and nothing is left to give back: neither processor time nor sleep. */
    for (int round = 0; round < 20; round++) {
        double start = now();
        malloc_trim(0);
        double took = now() - start;
        if (took < best) best = took;
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    join(threads, THREADS);
    double longest = 0;
    for (int i = 0; i < THREADS; i++)
        if (waits[i] > longest) longest = waits[i];
    say("ratio %.3f, with nothing to give back %.3f ms, longest wait %.2f ms\n", best_ratio, best * 1e3, longest * 1e3);
    CHECK_AT(libc_allowed() || best <= 50e-6, (long)(best * 1e6));
    CHECK_AT(libc_allowed() || best_ratio <= 1.1, (long)(best_ratio * 1000));
    return done();
}
