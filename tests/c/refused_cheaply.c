/*
 * What cannot be had is refused at little cost: refused_cheaply impossible, or data LIMIT_MIB, addresses LIMIT_MIB, or
 * heap LIMIT_MIB, where the configuration has the limit.
 *
 * What no process can have costs the heap nothing that it keeps for later. A program out of memory, beside a heap full of
 * holes, may ask ten thousand times; and when another thread frees something, the next request is served.
 */
#include "check.h"
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

enum { ROUNDS = 1000, FAILURES = 10000, HOLE = 1000, REQUEST = 20000, LARGE = 256 * 1024 };

static double processor_us(void) {
    struct timespec time;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* The machine's emulators and debuggers are slow, and it may have other things to do. */
static void at_most(double us, double most, const char *what) {
    dprintf(2, "%s: %.2f microseconds\n", what, us);
    CHECK_AT(us <= most, (size_t)us);
}

static void *old;

static void *impossible(int which) {
    static const size_t half = (size_t)1 << 62;
    switch (which) {
    case 0: return aligned_alloc(half, 16);
    case 1: return aligned_alloc(half, GIB);
    case 2: return memalign((size_t)1 << 48, 1);
    case 3: return memalign((size_t)1 << 50, 40000);
    case 4: return malloc(half);
    case 5: return malloc(PTRDIFF_MAX);
    case 6: return calloc(GIB, GIB);
    case 7: return realloc(old, half);
    case 8: return valloc(half);
    case 9: return malloc((size_t)1 << 47);
    case 10: return aligned_alloc((size_t)1 << 47, 5 * MIB);
    default: return NULL;
    }
}

static void the_impossible_costs_nothing(void) {
    enum { PIECES = 500, PIECE = 128 * 1024, WARM = 200 };
    static void *pieces[PIECES], *warm[WARM];
    CHECK((old = malloc(100)) != NULL);
    /* Dirty free pages, a mapping that is kept for later, and objects at hand. */
    for (int i = 0; i < PIECES; i++) memset(escape(pieces[i] = malloc(PIECE)), 1, PIECE);
    for (int i = 0; i < PIECES; i++) free(pieces[i]);
    void *huge = malloc(20 * MIB);
    memset(escape(huge), 1, 20 * MIB);
    free(huge);
    for (int i = 0; i < WARM; i++) warm[i] = malloc(64);
    for (int i = 0; i < WARM; i++) free(warm[i]);
    size_t before = resident();
    for (int which = 0; which <= 10; which++) {
        double start = processor_us();
        for (int i = 0; i < ROUNDS; i++) {
            errno = 0;
            CHECK_AT(escape(impossible(which)) == NULL, which);
            CHECK_AT(errno == ENOMEM, which);
        }
        at_most((processor_us() - start) / ROUNDS, 50, "an impossible request");
        CHECK_AT(resident() + MIB > before, which);
        void *same = malloc(64);
        CHECK_AT(same == warm[WARM - 1] || libc_allowed(), which);
        free(same);
    }
}

struct block {
    struct block *next;
};

static struct block *fill(size_t bytes) {
    struct block *all = NULL, *block;
    while ((block = malloc(bytes)) != NULL) {
        memset(block, 1, bytes);
        block->next = all;
        all = block;
    }
    return all;
}

/* Frees every `nth` block. */
static struct block *thin(struct block *all, int nth) {
    struct block **at = &all;
    for (int place = 0; *at != NULL; place++) {
        struct block *block = *at;
        if (place % nth != 0) {
            at = &block->next;
            continue;
        }
        *at = block->next;
        free(block);
    }
    return all;
}

static pthread_barrier_t barrier;
static void *large[2];

/* Started before there is no room for a stack. */
static void *frees(void *unused) {
    for (int kind = 0; kind < 2; kind++) {
        pthread_barrier_wait(&barrier);
        free(large[kind]);
        pthread_barrier_wait(&barrier);
    }
    return unused;
}

static void *in_the_end(size_t bytes) {
    void *block;
    while ((block = malloc(bytes)) != NULL) *(void **)block = NULL;
    return block;
}

static void failures_are_cheap(void) {
    for (int kind = 0; kind < 2; kind++) CHECK((large[kind] = malloc(LARGE)) != NULL);
    struct block *all = fill(HOLE);
    all = thin(all, 2);
    for (int kind = 0; kind < 2; kind++) {
        size_t bytes = kind == 0 ? REQUEST : LARGE;
        in_the_end(bytes);
        double start = processor_us();
        for (int i = 0; i < FAILURES; i++) {
            errno = 0;
            CHECK_AT(escape(malloc(bytes)) == NULL && errno == ENOMEM, i);
        }
        at_most((processor_us() - start) / FAILURES, 100, "a request without memory");
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        CHECK_AT(escape(malloc(bytes)) != NULL, kind);
    }
    thin(all, 1);
    void *block = malloc(LARGE);
    CHECK(block != NULL);
    memset(block, 1, LARGE);
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc >= 2);
    if (strcmp(argv[1], "impossible") == 0) {
        the_impossible_costs_nothing();
    } else {
        CHECK(argc == 3);
        pthread_t thread;
        CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0 && pthread_create(&thread, NULL, frees, NULL) == 0);
        rlim_t limit = strtoul(argv[2], NULL, 10) * MIB;
        struct rlimit both = {limit, limit};
        if (strcmp(argv[1], "data") == 0) CHECK(setrlimit(RLIMIT_DATA, &both) == 0);
        if (strcmp(argv[1], "addresses") == 0) CHECK(setrlimit(RLIMIT_AS, &both) == 0);
        failures_are_cheap();
    }
    return done();
}
