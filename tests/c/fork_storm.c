/*
 * fork from a process whose other threads are busy in the heap: 500 children, each allocates, frees
 * what the parent had, forks once more, ends well. A lock left behind by fork is met by alarm.
 */
#include "check.h"
#include <pthread.h>
#include <sys/wait.h>

enum { THREADS = 8, INHERITED = 200 };
static int stop;
static void *inherited[INHERITED];

static void *busy(void *number) {
    uint64_t seed = (uintptr_t)number;
    void *blocks[64] = {NULL};
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        size_t slot = random_of(&seed) % 64;
        free(blocks[slot]);
        size_t kind = random_of(&seed) % 200;
        blocks[slot] = malloc(1 + random_of(&seed) % (kind == 0 ? 6 * MIB : kind < 20 ? 200000 : 3000));
        CHECK(blocks[slot] != NULL);
        *(char *)blocks[slot] = 1;
        if (kind == 1) usleep(500); /* let the forks have a share of the processors */
    }
    for (int i = 0; i < 64; i++) free(blocks[i]);
    return NULL;
}

static void work(void) {
    static const size_t sizes[] = {1, 64, 1000, 5000, 40000, 300000, 6 * MIB};
    for (int round = 0; round < 3; round++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            char *p = malloc(sizes[s]);
            CHECK(p != NULL);
            p[sizes[s] - 1] = 1;
            CHECK((p = realloc(p, sizes[s] * 2)) != NULL);
            free(p);
        }
}

static void child(void) {
    alarm(30);
    work();
    for (int i = 0; i < INHERITED; i++) {
        CHECK(painted(inherited[i], 500 * (size_t)i, (unsigned)i));
        free(inherited[i]);
    }
    pid_t grandchild = fork();
    CHECK(grandchild >= 0);
    if (grandchild == 0) {
        work();
        exit(0);
    }
    int status;
    CHECK(waitpid(grandchild, &status, 0) == grandchild && status == 0);
    work();
    exit(0);
}

int main(void) {
    slubmalloc_is_in_charge();
    for (int i = 0; i < INHERITED; i++) {
        inherited[i] = malloc(500 * (size_t)i);
        paint(inherited[i], 500 * (size_t)i, (unsigned)i);
    }
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, busy, (void *)i) == 0);
    for (int i = 0; i < 500; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) child();
        int status;
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK_AT(status == 0, i);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    return done();
}
