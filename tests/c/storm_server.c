/*
 * A server that runs for argv[1] seconds: eight lines of threads that are born, work, rest and die put blocks into a
 * shared table and take others out, whose contents they check. The sizes drift from 16 bytes to 16 KiB and back, eight
 * times in all; as much is alive all the time. Resident memory must not drift with them. The seconds begin when as many
 * blocks have been replaced as it takes for memory to find its level, also with huge pages on a slow machine.
 */
#include "storm.h"

enum { LINES = 8, SLOTS = 1 << 20, SHARDS = 64, CYCLES = 8, WARM = 1500000 };
#define LIVE (96 * MIB)

static struct {
    pthread_mutex_t lock;
    struct block blocks[SLOTS / SHARDS];
} *table;
static atomic_size_t live, replaced, born;
static _Atomic double began;
static double lasts;
static atomic_int stop;

static double passed(void) { return (now() - began) / lasts; }

/* 16 to 16,384 and back, straight between the powers of two. */
static size_t median_now(void) {
    double phase = passed() * CYCLES;
    phase -= (double)(size_t)phase;
    double doublings = 20 * (phase < 0.5 ? phase : 1 - phase);
    size_t power = (size_t)16 << (size_t)doublings;
    return power + (size_t)((double)power * (doublings - (double)(size_t)doublings));
}

/* From a quarter of the median to four times that. */
static size_t size_around(size_t median, uint64_t *random) {
    size_t power = median / 4 << random_of(random) % 4;
    return power + random_of(random) % power;
}

static struct block exchange(uint64_t *random, struct block block) {
    uint64_t slot = random_of(random) % SLOTS;
    pthread_mutex_t *lock = &table[slot % SHARDS].lock;
    struct block *place = &table[slot % SHARDS].blocks[slot / SHARDS], before;
    CHECK(pthread_mutex_lock(lock) == 0);
    before = *place;
    *place = block;
    CHECK(pthread_mutex_unlock(lock) == 0);
    if (before.at != NULL) atomic_fetch_sub(&live, before.size);
    return before;
}

static void replace(uint64_t *random, size_t median) {
    static const struct block none = {NULL, 0, 0};
    struct block block = make(random, random_of(random) % 5000 == 0 ? any_size(random) : size_around(median, random));
    atomic_fetch_add(&live, block.size);
    block = exchange(random, block);
    unmake(&block);
    while (live > LIVE) {
        block = exchange(random, none);
        unmake(&block);
    }
    atomic_fetch_add(&replaced, 1);
}

/* A connection: bursts of requests, with rests between that leave its caches idle. */
static void *serves(void *number) {
    uint64_t random = (uintptr_t)number * 7919;
    for (uint64_t bursts = 1 + random_of(&random) % 20; bursts > 0 && !stop; bursts--) {
        size_t median = median_now();
        for (int i = 0; i < 2000; i++) replace(&random, median);
        if (random_of(&random) % 4 == 0) rest((long)(random_of(&random) % 30));
    }
    return NULL;
}

static void *line(void *unused) {
    while (!stop) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, serves, (void *)(atomic_fetch_add(&born, 1) + 1)) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    return unused;
}

int main(int argc, char **argv) {
    size_t seconds = amount(argc, argv);
    watchdog(2 * PATIENCE_SECONDS);
    began = now();
    lasts = (double)seconds;
    table = mmap(NULL, SHARDS * sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(table != MAP_FAILED);
    /* All of the books at once, or they would look like growth. */
    memset(table, 0, SHARDS * sizeof *table);
    for (int i = 0; i < SHARDS; i++) CHECK(pthread_mutex_init(&table[i].lock, NULL) == 0);
    struct plateau plateau = {.all = 64};
    pthread_t lines[LINES];
    start(lines, LINES, line);
    while (replaced < WARM) rest(2);
    watchdog(PATIENCE_SECONDS + (unsigned)seconds);
    began = now();
    for (size_t number = 1; number <= plateau.all; number++) {
        while (passed() < (double)number / (double)plateau.all) rest(2);
        CHECK_AT(live < 2 * LIVE, live);
        look(&plateau, number);
    }
    stop = 1;
    join(lines, LINES);
    for (int i = 0; i < SHARDS; i++) clear(table[i].blocks, SLOTS / SHARDS);
    say("%zu blocks in %zu threads\n", (size_t)replaced, (size_t)born);
    is_level(&plateau);
    return done();
}
