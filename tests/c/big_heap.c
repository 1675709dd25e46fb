/*
 * What a heap costs a program that goes on with little beside it: with the argument "time", the longest batch of small calls, and
 * of one of 100 kB, in processor time; with "faults", how often the kernel is asked for pages by only small calls.
 * The second argument is the heap's size in GiB, of blocks that nobody touches; the third is the size of a block.
 */
#include "back.h"
#include <sys/resource.h>

enum { WINDOWS = 5 };

static double processor_time(void) {
    struct timespec time;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static long faults(void) {
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_minflt;
}

/* 512 small blocks come and go. */
static void small_work(void) {
    static void *blocks[512];
    for (size_t i = 0; i < 512; i++) CHECK((blocks[i] = malloc(64 + i % 8 * 100)) != NULL);
    for (size_t i = 0; i < 512; i++) free(blocks[i]);
}

/* For three seconds small blocks come and go; says how many batches took longer than 1 ms, and how often pages were asked for. */
static long watch(int is_timed, void **all, size_t blocks, size_t size, long *faulted) {
    long first = faults(), batches = 0, late = 0;
    double end = now() + 3, worst = 0;
    for (; now() < end; batches++) {
        double start = processor_time();
        small_work();
        if (is_timed) {
            void *block = malloc(100000);
            CHECK(block != NULL);
            free(block);
        }
        double spent = processor_time() - start;
        if (spent > worst) worst = spent;
        late += spent > 1e-3;
        /* Blocks of the heap come and go, too. */
        if (is_timed && batches % 256 == 0) {
            size_t chosen = (size_t)batches * 7919 % blocks;
            free(all[chosen]);
            CHECK((all[chosen] = malloc(size)) != NULL);
        }
    }
    *faulted = faults() - first;
    say("%ld batches, at worst %.0f us, %ld above 1 ms; %ld faults\n", batches, worst * 1e6, late, *faulted);
    return late;
}

int main(int count, char **words) {
    slubmalloc_is_in_charge();
    CHECK(count == 4);
    int is_timed = strcmp(words[1], "time") == 0;
    size_t size = (size_t)atol(words[3]), blocks = ((size_t)atol(words[2]) << 30) / size;
    void **all = mmap(NULL, blocks * sizeof *all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(all != MAP_FAILED);
    for (size_t i = 0; i < blocks; i++) CHECK_AT((all[i] = malloc(size)) != NULL, i);
    for (int i = 0; i < 3; i++) small_work();
    long late = 0, faulted = 0;
    /* A slow machine's interrupts come at times; what the heap does comes in each window. */
    for (int window = 0; window < WINDOWS; window++) {
        late = watch(is_timed, all, blocks, size, &faulted);
        if (late <= 2) break;
    }
    /* An interrupt counts for whom it meets; a round came each eighth of a second. */
    CHECK_AT(libc_allowed() || !is_timed || late <= 2, late);
    CHECK_AT(libc_allowed() || is_timed || faulted < 500, faulted);
    return done();
}
