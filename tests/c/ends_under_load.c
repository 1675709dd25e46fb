/*
 * Threads come and go beside threads that are in the heap all the time. argv[1]: how many of those; argv[2]: how many
 * come and go; argv[3]: "keyless" if the program takes all keys before, "leave" if the main thread leaves by pthread_exit
 * at the end. Prints the nanoseconds of processor time that one of them took, without those of the load, and ends with the load
 * still running, but for "leave".
 */
#include "check.h"
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static atomic_int is_over;

static void *has_large_blocks(void *unused) {
    while (!is_over) free(escape(malloc(40000)));
    return unused;
}

static void *has_huge_blocks(void *unused) {
    while (!is_over) {
        char *block = escape(malloc(5 * MIB));
        CHECK(block != NULL);
        *block = 1;
        free(block);
    }
    return unused;
}

static void *comes_and_goes(void *unused) {
    for (int i = 0; i < 8; i++) free(escape(malloc((size_t)16 << i)));
    return unused;
}

static double nanoseconds(clockid_t clock) {
    struct timespec time;
    CHECK(clock_gettime(clock, &time) == 0);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

int main(int count, char **words) {
    slubmalloc_is_in_charge();
    CHECK(count >= 3);
    size_t load = strtoul(words[1], NULL, 10), births = strtoul(words[2], NULL, 10);
    int is_keyless = count > 3 && strcmp(words[3], "keyless") == 0, leaves = count > 3 && strcmp(words[3], "leave") == 0;
    pthread_t threads[64], thread;
    pthread_key_t key;
    while (is_keyless && pthread_key_create(&key, NULL) == 0) continue;
    /* Enough that the heap may want a thread of its own. */
    char *kept = malloc(100 * MIB);
    CHECK(load <= 64 && kept != NULL);
    if (leaves) memset(kept, 1, 100 * MIB);
    for (size_t i = 0; i < load; i++)
        CHECK(pthread_create(&threads[i], NULL, i & 1 ? has_huge_blocks : has_large_blocks, NULL) == 0);
    double before = nanoseconds(CLOCK_PROCESS_CPUTIME_ID), by_load = 0;
    clockid_t clock;
    for (size_t i = 0; i < load; i++) {
        CHECK(pthread_getcpuclockid(threads[i], &clock) == 0);
        by_load -= nanoseconds(clock);
    }
    for (size_t i = 0; i < births; i++) {
        CHECK(pthread_create(&thread, NULL, comes_and_goes, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    for (size_t i = 0; i < load; i++) {
        CHECK(pthread_getcpuclockid(threads[i], &clock) == 0);
        by_load += nanoseconds(clock);
    }
    double all = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - before;
    printf("%.0f\n", (all - by_load) / births);
    fflush(stdout);
    if (leaves) {
        is_over = 1;
        for (size_t i = 0; i < load; i++) CHECK(pthread_join(threads[i], NULL) == 0);
        done();
        pthread_exit(NULL);
    }
    return done();
}
