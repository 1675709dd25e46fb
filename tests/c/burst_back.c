/*
 * One thread frees a gibibyte and goes on: each of its calls gives back what half a millisecond allows, and in the end all is
 * gone. A third of the blocks stay for some time, so that slabs and pages go in pieces.
 */
#include "back.h"

static double processor_time(void) {
    struct timespec time;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(void) {
    slubmalloc_is_in_charge();
    size_t before = resident();
    struct burst burst = new_burst(512 * MIB, 16, 128 * KIB, 5);
    grow_to(&burst, 512 * MIB);
    shrink_to(&burst, burst.count / 3);
    double worst = 0, end = now() + 3;
    long late = 0;
    while (now() < end) {
        void *blocks[64];
        for (size_t i = 0; i < 64; i++) {
            double start = processor_time();
            CHECK((blocks[i] = malloc(16 + i * 100)) != NULL);
            double spent = processor_time() - start;
            if (spent > worst) worst = spent;
            late += spent > 1e-3;
        }
        for (size_t i = 0; i < 64; i++) free(blocks[i]);
        rest(1);
    }
    say("at worst %.0f us, %ld above 1 ms\n", worst * 1e6, late);
    CHECK_AT(libc_allowed() || late <= 2, late);
    is_whole(&burst);
    end_burst(&burst);
    rest(2000);
    a_little_work();
    a_little_work();
    a_little_work();
    RESIDENT_AT_MOST(before + 16 * MIB);
    return done();
}
