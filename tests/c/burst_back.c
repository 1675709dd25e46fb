/*
 * One thread frees much and goes on: each of its calls gives back what half a millisecond allows, and in the end all is
 * gone. First half a gibibyte of blocks of the arenas, then mappings of 10 MiB. Some of the blocks stay for some time, so
 * that the others go in pieces.
 */
#include "back.h"

static double processor_time(void) {
    struct timespec time;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Calls above a millisecond since the last look. */
static long late;

/* What a program does that goes on, with blocks of up to 64 strides. */
static void small_calls_for(double seconds, size_t stride) {
    double worst = 0, end = now() + seconds;
    while (now() < end) {
        void *blocks[64];
        for (size_t i = 0; i < 64; i++) {
            double start = processor_time();
            CHECK((blocks[i] = malloc(16 + i * stride)) != NULL);
            double spent = processor_time() - start;
            if (spent > worst) worst = spent;
            late += spent > 1e-3;
        }
        for (size_t i = 0; i < 64; i++) free(blocks[i]);
        rest(1);
    }
    say("at worst %.0f us, %ld above 1 ms\n", worst * 1e6, late);
}

/*
 * None of the calls may be long, but for some that the kernel disturbs. A machine that does other work disturbs more of
 * them, for a while: what a call of ours does too much, it does each time.
 */
static void is_short_once(void (*part)(void)) {
    for (int i = 0; i < 4; i++) {
        late = 0;
        part();
        if (late <= 2) return;
    }
    CHECK_AT(libc_allowed(), late);
}

static void of_arenas(void) {
    size_t before = resident();
    struct burst burst = new_burst(512 * MIB, 16, 128 * KIB, 5);
    grow_to(&burst, 512 * MIB);
    shrink_to(&burst, burst.count / 3);
    small_calls_for(3, 100);
    is_whole(&burst);
    end_burst(&burst);
    rest(2000);
    a_little_work();
    a_little_work();
    a_little_work();
    /* Those may all have been served by sheaves; a large block always takes a slow path. */
    (void)COMES((free(malloc(40 * KIB)), resident() <= before + 16 * MIB), 3);
    RESIDENT_AT_MOST(before + 16 * MIB);
}

enum { MAPPINGS = 200, STAY = 5 };

static void of_mappings(void) {
    size_t before = resident();
    char *blocks[MAPPINGS];
    for (size_t i = 0; i < MAPPINGS; i++) {
        CHECK((blocks[i] = malloc(10 * MIB)) != NULL);
        paint(blocks[i], 10 * MIB, (uint32_t)i);
    }
    for (size_t i = 0; i < MAPPINGS; i++)
        if (i % STAY != 0) free(blocks[i]);
    /* As much was needed recently, so all of it is retained at first. */
    RESIDENT_AT_LEAST(before + MAPPINGS * 9 * MIB);
    small_calls_for(3, KIB);
    RESIDENT_AT_MOST(before + MAPPINGS / STAY * 10 * MIB + 16 * MIB);
    for (size_t i = 0; i < MAPPINGS; i += STAY) {
        CHECK_AT(painted(blocks[i], 10 * MIB, (uint32_t)i), i);
        free(blocks[i]);
    }
    small_calls_for(2, KIB);
    RESIDENT_AT_MOST(before + 16 * MIB);
}

int main(void) {
    slubmalloc_is_in_charge();
    is_short_once(of_arenas);
    is_short_once(of_mappings);
    return done();
}
