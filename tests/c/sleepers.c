/*
 * Two threads free hundreds of MiB and then wait, as does the main thread. With the argument "auto" a thread of the heap's
 * gives the memory back, runs no handler of the program's, and ends; with "off" it never comes, and the next calls of
 * malloc give the memory back. Further arguments: MiB for each of the two, and the largest block's bytes.
 */
#include "back.h"
#include <signal.h>
#include <stdatomic.h>

enum { THREADS = 2 };
static pthread_barrier_t born, measured, all_full, finished;
static atomic_int freed;
static size_t before, each, largest;

static void full(void) {
    if (pthread_barrier_wait(&all_full) != 0) RESIDENT_AT_LEAST(before + THREADS * each);
    pthread_barrier_wait(&all_full);
}

static void *works_and_waits(void *number) {
    a_little_work();
    pthread_barrier_wait(&born);
    pthread_barrier_wait(&measured);
    burst_of(each, 16, largest, (uintptr_t)number, full);
    freed++;
    pthread_barrier_wait(&finished);
    return NULL;
}

/* One bit for each signal, the first is number 1. */
static uint64_t blocked_by(long thread) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%ld/status", thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    CHECK(length > 0);
    text[length] = 0;
    const char *at = strstr(text, "SigBlk:");
    CHECK(at != NULL);
    return strtoull(at + strlen("SigBlk:"), NULL, 16);
}

static void blocks_all_signals(long thread) {
    uint64_t blocked = blocked_by(thread);
    for (int signal = 1; signal < NSIG; signal++) {
        /* Some between the two kinds are libc's own. */
        int cannot_be = signal == SIGKILL || signal == SIGSTOP || (signal > SIGSYS && signal < SIGRTMIN);
        CHECK_AT(cannot_be || blocked >> (signal - 1) & 1, signal);
    }
}

int main(int count, char **words) {
    slubmalloc_is_in_charge();
    CHECK(count == 4);
    each = strtoul(words[2], NULL, 10) * MIB;
    largest = strtoul(words[3], NULL, 10);
    int is_off = strcmp(words[1], "off") == 0;
    CHECK(pthread_barrier_init(&all_full, NULL, THREADS) == 0);
    pthread_barrier_t *barriers[] = {&born, &measured, &finished};
    for (int i = 0; i < 3; i++) CHECK(pthread_barrier_init(barriers[i], NULL, THREADS + 1) == 0);
    pthread_t workers[THREADS];
    start(workers, THREADS, works_and_waits);
    pthread_barrier_wait(&born);
    before = resident();
    CHECK_AT(threads() == THREADS + 1, threads());
    pthread_barrier_wait(&measured);

    CHECK(COMES(freed == THREADS, 50));
    double start = now();
    if (is_off) {
        rest(3000);
        CHECK_AT(threads() == THREADS + 1, threads());
    } else {
        long purger;
        CHECK(COMES((purger = thread_named(PURGE_THREAD)) != 0, 3));
        blocks_all_signals(purger);
    }
    /* Each call gives back what half a millisecond allows; what the others have at hand is taken some time after it was detached. */
    if (is_off) a_little_work();
    int is_back = COMES((is_off ? a_little_work() : (void)0, resident() <= before + 8 * MIB), 5);
    say("%s back after %.2f s\n", is_back ? "all" : "not", now() - start);
    RESIDENT_AT_MOST(before + 8 * MIB);
    CHECK(COMES(threads() == THREADS + 1, 15));
    say("without other threads after %.2f s\n", now() - start);
    RESIDENT_AT_MOST(before + 8 * MIB);

    pthread_barrier_wait(&finished);
    join(workers, THREADS);
    return done();
}
