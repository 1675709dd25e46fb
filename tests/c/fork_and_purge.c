/*
 * A process forks while the heap's own thread gives its memory back. The child has one thread, and gets no other from
 * what its one thread does; with threads of its own it gets one as its parent did, and the parent's goes on.
 */
#include "back.h"
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define EACH (160 * MIB)

enum { THREADS = 2 };
static pthread_barrier_t finished;
static atomic_int freed;

static void *works_and_waits(void *number) {
    burst_of(EACH, 16, 64 * KIB, (uintptr_t)number, NULL);
    freed++;
    pthread_barrier_wait(&finished);
    return NULL;
}

static void gives_back_while_all_sleep(void) {
    pthread_t workers[THREADS];
    CHECK(pthread_barrier_init(&finished, NULL, THREADS + 1) == 0);
    size_t before = resident();
    freed = 0;
    start(workers, THREADS, works_and_waits);
    CHECK(COMES(freed == THREADS, 50));
    double start = now();
    CHECK(COMES(thread_named(PURGE_THREAD) != 0, 3));
    CHECK(COMES(resident() <= before + 8 * MIB, 5));
    say("%d: back after %.2f s\n", getpid(), now() - start);
    pthread_barrier_wait(&finished);
    join(workers, THREADS);
}

static void child(struct burst *inherited) {
    alarm(50);
    CHECK_AT(threads() == 1, threads());
    is_whole(inherited);
    burst_of(EACH, 16, 64 * KIB, 7, NULL);
    rest(200);
    a_little_work();
    CHECK_AT(threads() == 1, threads());
    gives_back_while_all_sleep();
    end_burst(inherited);
    _exit(0);
}

int main(void) {
    slubmalloc_is_in_charge();
    struct burst kept = new_burst(4 * MIB, 16, 64 * KIB, 8);
    grow_to(&kept, 4 * MIB);

    pthread_t workers[THREADS];
    CHECK(pthread_barrier_init(&finished, NULL, THREADS + 1) == 0);
    size_t before = resident();
    start(workers, THREADS, works_and_waits);
    CHECK(COMES(freed == THREADS, 50) && COMES(thread_named(PURGE_THREAD) != 0, 3));
    pid_t pid = fork();
    if (pid == 0) child(&kept);
    CHECK(COMES(resident() <= before + 8 * MIB, 5));
    int status;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    pthread_barrier_wait(&finished);
    join(workers, THREADS);

    is_whole(&kept);
    gives_back_while_all_sleep();
    end_burst(&kept);
    return done();
}
