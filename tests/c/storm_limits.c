/*
 * The address space and the data segment are squeezed below what is in use and let go again, argv[1] times, while eight
 * threads work in the heap. Meanwhile null with ENOMEM is an answer, and blocks keep their contents; afterwards every
 * size must be there again, for old threads and for new ones.
 */
#include "storm.h"
#include <sys/resource.h>

enum { THREADS = 8, SHELF = 128, TURNS_SQUEEZED = 100 };

/* Odd while a limit is in force. */
static atomic_size_t epoch, turned[THREADS], proved[THREADS];
static atomic_size_t refused[2], kept;
static atomic_int stop;

/* Whether a null was an answer: the limit was there before the call or after it. */
static int was_squeezed(size_t before) { return before % 2 == 1 || epoch != before; }

/* Larger than what is kept for reuse, now and then; not to stay. */
static int huge_may_fail(struct block *block, uint64_t *random) {
    if (block->at != NULL && random_of(random) % 2 == 0) {
        int ok = try_to_resize(block, random, MIB + random_of(random) % (8 * MIB));
        atomic_fetch_add(&kept, (size_t)!ok);
        if (ok) unmake(block);
        return ok;
    }
    size_t size = MIB + random_of(random) % (40 * MIB);
    errno = 0;
    void *huge = malloc(size);
    CHECK_AT(huge != NULL || errno == ENOMEM, size);
    if (huge != NULL) memset(huge, 1, 100);
    free(huge);
    return huge != NULL;
}

static void turn_that_may_fail(struct block *shelf, uint64_t *random) {
    struct block *block = &shelf[random_of(random) % SHELF];
    size_t size = any_size(random), before = epoch;
    int ok;
    if (before % 2 == 1 && random_of(random) % 32 == 0) {
        ok = huge_may_fail(block, random);
    } else if (block->at != NULL && random_of(random) % 4 == 0) {
        ok = try_to_resize(block, random, size);
    } else {
        unmake(block);
        *block = try_to_make(random, size);
        ok = block->at != NULL;
    }
    if (ok) return;
    CHECK_AT(was_squeezed(before), size);
    atomic_fetch_add(&refused[before / 2 % 2], 1);
}

static void proof(uint64_t *random) {
    static const size_t sizes[] = {1, 64, 1000, 5000, 30000, 200000, 5 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct block block = make(random, sizes[i]);
        size_t other = sizes[i] > MIB ? sizes[i] / 2 : sizes[i] * 2;
        CHECK_AT(try_to_resize(&block, random, other), other);
        unmake(&block);
    }
}

static void *works(void *number) {
    size_t me = (uintptr_t)number - 1;
    uint64_t random = (uintptr_t)number * 7919;
    struct block shelf[SHELF] = {{NULL, 0, 0}};
    while (!stop) {
        turn_that_may_fail(shelf, &random);
        atomic_fetch_add(&turned[me], 1);
        size_t now = epoch;
        if (now % 2 == 0 && proved[me] != now) {
            proof(&random);
            proved[me] = now;
        }
    }
    clear(shelf, SHELF);
    return NULL;
}

static void *comes_later(void *unused) {
    uint64_t random = 11;
    proof(&random);
    return unused;
}

static void set(int resource, rlim_t soft) {
    struct rlimit limit;
    CHECK(getrlimit(resource, &limit) == 0);
    limit.rlim_cur = soft;
    CHECK(setrlimit(resource, &limit) == 0);
}

/* Some MiB above what is in use, or below that; or, far below a reservation, above what is resident. */
static void squeeze(int resource, uint64_t *random) {
    static const char *const names[] = {"VmSize:", "VmData:", "VmRSS:"};
    uint64_t way = random_of(random) % 3;
    const char *name = way == 0 ? names[2] : names[resource == RLIMIT_DATA];
    size_t used = proc_number("/proc/self/status", name) * KIB;
    set(resource, way == 1 ? used / 2 : used + random_of(random) % 16 * MIB);
}

int main(int argc, char **argv) {
    size_t all = amount(argc, argv);
    /* The kernel kills a process whose first stack cannot grow. */
    char stack[256 * 1024];
    memset(escape(stack), 1, sizeof stack);
    watchdog(2 * PATIENCE_SECONDS);
    struct plateau plateau = {.all = all};
    uint64_t random = 17;
    pthread_t threads[THREADS], later;
    start(threads, THREADS, works);
    /* On a busy machine a squeeze may be over before anybody asked for what is not there. */
    for (size_t i = 0; i < all || (i < 20 * all && (refused[0] == 0 || refused[1] == 0)); i++) {
        int resource = i % 2 == 0 ? RLIMIT_AS : RLIMIT_DATA;
        size_t before[THREADS];
        atomic_fetch_add(&epoch, 1);
        squeeze(resource, &random);
        for (int t = 0; t < THREADS; t++) before[t] = turned[t];
        for (int t = 0; t < THREADS; t++)
            while (turned[t] < before[t] + TURNS_SQUEEZED) usleep(500);
        set(resource, RLIM_INFINITY);
        size_t now = atomic_fetch_add(&epoch, 1) + 1;
        for (int t = 0; t < THREADS; t++)
            while (proved[t] != now) usleep(500);
        CHECK(pthread_create(&later, NULL, comes_later, NULL) == 0 && pthread_join(later, NULL) == 0);
        if (i < all) look(&plateau, i + 1);
        gets_on();
    }
    stop = 1;
    join(threads, THREADS);
    say("refused: %zu for address space, %zu for data, %zu huge blocks in place of smaller ones\n", (size_t)refused[0],
        (size_t)refused[1], (size_t)kept);
    CHECK(refused[0] > 0 && refused[1] > 0);
    is_level(&plateau);
    return done();
}
