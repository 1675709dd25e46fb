/*
 * A block above 4 MiB that is freed and wanted again changes hands at once. Nothing of it may show: it is zero where that was
 * asked for, nobody else's at the same moment, not counted as in use, and its memory goes back.
 *
 * The argument is how often each thread takes one; with "twice" a block is freed twice, and the second time must be named.
 */
#include "back.h"
#include <sys/wait.h>

enum { THREADS = 4, SLOTS = 3 };

static int rounds = 3000;

static char *volatile slots[SLOTS];
static const size_t sizes[] = {5 * MIB, 5 * MIB + 300 * KIB, 8 * MIB, 8 * MIB - 1, 17 * MIB, 33 * MIB};

/* Each takes a block, marks both ends, and leaves it for the next thread, which frees it. */
static void *swap(void *number) {
    unsigned seed = (unsigned)(size_t)number;
    for (int i = 0; i < rounds; i++) {
        size_t size = sizes[rand_r(&seed) % (sizeof sizes / sizeof *sizes)];
        char *block = rand_r(&seed) % 4 ? malloc(size) : calloc(1, size);
        CHECK(block != NULL && malloc_usable_size(block) >= size);
        size_t mark = (size_t)number << 32 | (size_t)i;
        memcpy(block, &mark, sizeof mark);
        memcpy(block + size - sizeof mark, &mark, sizeof mark);
        if (rand_r(&seed) % 8 == 0) {
            CHECK(block = realloc(block, size + 100 * KIB));
        }
        size_t found;
        memcpy(&found, block + size - sizeof mark, sizeof mark);
        CHECK(memcmp(block, &mark, sizeof mark) == 0 && found == mark);
        free(__atomic_exchange_n(&slots[rand_r(&seed) % SLOTS], block, __ATOMIC_ACQ_REL));
    }
    return NULL;
}

static size_t in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

int main(int count, char **words) {
    slubmalloc_is_in_charge();
    /* Taken and freed until it changes hands without a lock. */
    char *block = NULL;
    for (int i = 0; i < 4; i++) {
        CHECK(block = malloc(8 * MIB));
        memset(block, 7, 8 * MIB);
        free(block);
    }
    if (count > 1 && strcmp(words[1], "twice") == 0) {
        free(block);
        return 0;
    }
    if (count > 1) rounds = atoi(words[1]);
    size_t before = in_use();
    char *zero = calloc(1, 8 * MIB);
    CHECK(zero != NULL && in_use() >= before + 8 * MIB);
    for (size_t i = 0; i < 8 * MIB; i++) CHECK_AT(zero[i] == 0, i);
    memset(zero, 7, 8 * MIB);
    free(zero);
    say("%zu KiB in use before, %zu after\n", before / KIB, in_use() / KIB);
    CHECK(in_use() <= before);

    /* What was freed is there for a child, and for a trim. */
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(block = malloc(8 * MIB));
        memset(block, 1, 8 * MIB);
        free(block);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    malloc_trim(0);
    RESIDENT_AT_MOST(4 * MIB);

    /* A page without access must not be handed out again. */
    for (int i = 0; i < 4; i++) {
        CHECK(block = malloc(8 * MIB));
        memset(block, 7, 8 * MIB);
        free(block);
    }
    CHECK(block = malloc(8 * MIB));
    uintptr_t page = ((uintptr_t)block + 8191) & ~(uintptr_t)4095;
    CHECK(mprotect((void *)page, 4096, PROT_NONE) == 0);
    free(block);
    CHECK(block = malloc(8 * MIB));
    memset(block, 1, 8 * MIB);
    free(block);

    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, swap, (void *)(i + 1)) == 0);
    for (size_t i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < SLOTS; i++) free(slots[i]);

    /* However blocks come back, no more stays than may be kept. */
    static char *blocks[100];
    for (int i = 0; i < 100; i++) {
        CHECK(blocks[i] = malloc(8 * MIB));
        memset(blocks[i], 1, 8 * MIB);
    }
    for (int i = 0; i < 100; i++) {
        CHECK(blocks[i] = realloc(blocks[i], 8 * MIB - 8192));
        free(blocks[i]);
    }
    RESIDENT_AT_MOST(80 * MIB);
    CHECK(in_use() <= before + 64 * KIB);
    malloc_trim(0);
    RESIDENT_AT_MOST(6 * MIB);
    return done();
}
