/*
 * One thread takes, touches and frees a gibibyte over and over; beside it another one takes and frees 5 MiB, untouched. Its
 * calls give nothing back that is not their own: while the purge thread is awake, that one does.
 */
#include "back.h"
#include <stdatomic.h>

static atomic_int is_over;

static double processor_time(void) {
    struct timespec time;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void *frees_much(void *nothing) {
    while (!is_over) {
        char *block = malloc(GIB);
        CHECK(block != NULL);
        for (size_t i = 0; i < GIB; i += 4 * KIB) block[i] = 1;
        free(block);
    }
    return nothing;
}

/* Within four seconds. */
static long calls_that_were_long(void) {
    double worst = 0, end = now() + 4;
    long late = 0, calls = 0;
    struct timespec pause = {0, 200000};
    for (; now() < end; calls++) {
        double began = processor_time();
        void *block = malloc(5 * MIB);
        CHECK(block != NULL);
        free(block);
        double spent = processor_time() - began;
        if (spent > worst) worst = spent;
        late += spent > 250e-6;
        nanosleep(&pause, NULL);
    }
    say("%ld calls, at worst %.0f us, %ld above 250 us\n", calls, worst * 1e6, late);
    return late;
}

int main(void) {
    slubmalloc_is_in_charge();
    pthread_t other;
    start(&other, 1, frees_much);
    /* Until then there may be no purge thread. */
    rest(500);
    long late = calls_that_were_long();
    /* What another program does to the machine comes at times; what the heap does comes each time. */
    for (int window = 1; window < 5 && late > 3; window++) late = calls_that_were_long();
    is_over = 1;
    join(&other, 1);
    /* As many may be disturbed by the kernel. */
    CHECK_AT(libc_allowed() || late <= 3, late);
    return done();
}
