/* Time for bars. */
#ifndef SLUBTEST_TIMING_H
#define SLUBTEST_TIMING_H

#include <time.h>

/* Nanoseconds of the processor's that this process had. */
static inline double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static inline double less(double one, double other) { return one < other ? one : other; }

#endif
