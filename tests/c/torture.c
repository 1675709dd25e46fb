/*
 * Eight threads that come and go pass blocks of every size through shared slots: a thread that takes one out checks
 * every byte of it and frees it, resizes it or puts another in. Meanwhile the process forks, and the child frees
 * what it inherits; now and then the heap is trimmed. At the end nothing may be left. argv[1]: seconds; with argv[2] threads live shorter
 * and sleep in between for up to that many milliseconds.
 */
#include "check.h"
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

enum { SLOTS = 4096, THREADS = 8, TURNS = 20000, TURNS_OF_THE_RESTLESS = 2000, TURNS_AWAKE = 100, SPARSE = 4096 };

/* What stands at a block's beginning; behind it, every byte (of large blocks, every 64th) is seed + place. */
struct header {
    size_t size;
    unsigned char seed;
};

static _Atomic(unsigned char *) slots[SLOTS];
static volatile int stop;
static unsigned longest_sleep;

static size_t step(size_t size) { return size > SPARSE ? 64 : 1; }

static size_t any_size(uint64_t *random) {
    uint64_t kind = random_of(random) % 1000;
    size_t most = kind < 700 ? 512 : kind < 930 ? 8192 : kind < 990 ? 100000 : kind < 999 ? 3000000 : 12000000;
    return random_of(random) % most + sizeof(struct header);
}

static void fill(unsigned char *block, size_t size, unsigned char seed) {
    struct header header = {size, seed};
    memcpy(block, &header, sizeof header);
    for (size_t i = sizeof header; i < size; i += step(size)) block[i] = (unsigned char)(seed + i);
}

/* Checks the first `most` bytes of what was filled. */
static void is_as_filled(const unsigned char *block, struct header header, size_t most) {
    for (size_t i = sizeof header; i < most; i += step(header.size))
        CHECK_AT(block[i] == (unsigned char)(header.seed + i), i);
}

static void is_whole(unsigned char *block) {
    struct header header;
    memcpy(&header, block, sizeof header);
    is_as_filled(block, header, header.size);
    CHECK(malloc_usable_size(block) >= header.size);
}

static void check_and_free(unsigned char *block) {
    if (block == NULL) return;
    is_whole(block);
    free(block);
}

static unsigned char *make(uint64_t *random) {
    size_t size = any_size(random), align = 16;
    unsigned char *block;
    switch (random_of(random) % 8) {
    case 0:
        block = calloc(1, size);
        for (size_t i = 0; block != NULL && i < size; i += size > SPARSE ? 997 : 1) CHECK_AT(block[i] == 0, i);
        break;
    case 1:
        align = (size_t)16 << random_of(random) % 12;
        block = memalign(align, size);
        break;
    default: block = malloc(size);
    }
    CHECK(block != NULL && aligned_to(block, align));
    fill(block, size, (unsigned char)random_of(random));
    return block;
}

static unsigned char *resize(unsigned char *block, uint64_t *random) {
    struct header header;
    memcpy(&header, block, sizeof header);
    size_t size = any_size(random);
    block = realloc(block, size);
    CHECK(block != NULL);
    is_as_filled(block, header, size < header.size ? size : header.size);
    fill(block, size, (unsigned char)random_of(random));
    return block;
}

static void *passes_on(void *number) {
    uint64_t random = (uintptr_t)number * 7919;
    int turns = longest_sleep > 0 ? TURNS_OF_THE_RESTLESS : TURNS;
    for (int turn = 0; !stop && turn < turns; turn++) {
        if (longest_sleep > 0 && random_of(&random) % TURNS_AWAKE == 0) usleep(random_of(&random) % (longest_sleep * 1000));
        _Atomic(unsigned char *) *slot = &slots[random_of(&random) % SLOTS];
        unsigned char *block = atomic_exchange(slot, NULL);
        if (block != NULL && random_of(&random) % 4 != 0) {
            check_and_free(block);
            continue;
        }
        if (block != NULL) is_whole(block);
        block = block == NULL ? make(&random) : resize(block, &random);
        check_and_free(atomic_exchange(slot, block));
    }
    return NULL;
}

static void child(uint64_t random) {
    alarm(60);
    for (int i = 0; i < SLOTS; i++) free(slots[i]);
    for (int i = 0; i < 2000; i++) free(make(&random));
    _exit(0);
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 2 || argc == 3);
    if (argc == 3) longest_sleep = (unsigned)atoi(argv[2]);
    time_t end = time(NULL) + atoi(argv[1]);
    pthread_t threads[THREADS];
    uintptr_t born = 0;
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, passes_on, (void *)++born) == 0);
    for (int oldest = 0; time(NULL) < end; oldest = (oldest + 1) % THREADS) {
        CHECK(pthread_join(threads[oldest], NULL) == 0);
        CHECK(pthread_create(&threads[oldest], NULL, passes_on, (void *)++born) == 0);
        if (born % 11 == 0) malloc_trim(0);
        if (born % 5 != 0) continue;
        pid_t pid = fork();
        if (pid == 0) child(born);
        int status;
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    }
    stop = 1;
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < SLOTS; i++) check_and_free(slots[i]);
    struct mallinfo2 left = mallinfo2();
    CHECK_AT(libc_allowed() || left.uordblks < 64 * KIB, left.uordblks);
    CHECK_AT(libc_allowed() || left.hblks == 0, left.hblks);
    return done();
}
