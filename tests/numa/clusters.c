/*
 * A thread on each processor. Once there are all of them, threads whose processors share no last-level cache get no objects of
 * one slab, as long as each frees its own; what others free goes back to where it came from; and all of that survives forks.
 * argv[1]: rounds; argv[2]: "apart", or "together" where all are one cluster, which has to show.
 */
#include "numa.h"
#include <sys/wait.h>

enum { MOST = 64, OBJECTS = 4000, SIZE = 96, GRANULE_SHIFT = 16, AT_MOST_TOGETHER = 8 };

static int threads;
static void *objects[MOST][OBJECTS];
static pthread_barrier_t meeting;
static size_t rounds;

/* The processors that share a cache with one; at most eight neighbours of them are served together. */
static set_t sharing(int cpu) {
    char path[128], text[256];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index3/shared_cpu_list", cpu);
    return read_text(path, text, sizeof text) ? parse_list(text) : (set_t)0xff << (cpu / 8 * 8);
}

static void *on_a_processor(void *number) {
    int self = (int)(intptr_t)number, far = (self + threads / 2) % threads;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(self, &cpus);
    CHECK(sched_setaffinity(0, sizeof cpus, &cpus) == 0);
    /* From nine threads on it matters where they are; they look now and then. */
    void **before = malloc(OBJECTS * sizeof *before);
    CHECK(before != NULL);
    pthread_barrier_wait(&meeting);
    for (int i = 0; i < OBJECTS; i++) CHECK((before[i] = malloc(SIZE)) != NULL);
    for (size_t round = 0; round < rounds; round++) {
        pthread_barrier_wait(&meeting);
        for (int i = 0; i < OBJECTS; i++) {
            objects[self][i] = malloc(SIZE);
            CHECK(objects[self][i] != NULL);
            memset(objects[self][i], self, SIZE);
        }
        pthread_barrier_wait(&meeting);
        /* The first round's own are looked at by the first thread, and freed by their owners. */
        pthread_barrier_wait(&meeting);
        int whose = round == 0 ? self : far;
        for (int i = 0; i < OBJECTS; i++) {
            unsigned char *object = objects[whose][i];
            CHECK_AT(object[0] == whose && object[SIZE - 1] == whose, i);
            free(object);
        }
        if (self % 4 == 3) {
            pid_t pid = fork();
            if (pid == 0) {
                void *block = malloc(SIZE);
                free(block);
                _exit(block != NULL ? 7 : 8);
            }
            int status;
            CHECK(waitpid(pid, &status, 0) == pid);
            CHECK_AT(WIFEXITED(status) && WEXITSTATUS(status) == 7, status);
        }
    }
    for (int i = 0; i < OBJECTS; i++) free(before[i]);
    free(before);
    return NULL;
}

/* Slabs that threads of two processors which share no cache both have objects of. */
static size_t shared_slabs(void) {
    size_t shared = 0;
    for (int one = 0; one < threads; one++)
        for (int other = 0; other < one; other++) {
            if (sharing(one) >> other & 1) continue;
            for (int i = 0; i < OBJECTS; i += 16)
                for (int j = 0; j < OBJECTS; j += 16)
                    shared += (uintptr_t)objects[one][i] >> GRANULE_SHIFT == (uintptr_t)objects[other][j] >> GRANULE_SHIFT;
        }
    return shared;
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    rounds = strtoul(argv[1], NULL, 10);
    threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    CHECK_AT(threads > AT_MOST_TOGETHER && threads <= MOST, threads);
    CHECK(pthread_barrier_init(&meeting, NULL, (unsigned)threads + 1) == 0);
    pthread_t workers[MOST];
    for (intptr_t i = 0; i < threads; i++) CHECK(pthread_create(&workers[i], NULL, on_a_processor, (void *)i) == 0);
    pthread_barrier_wait(&meeting);
    for (size_t round = 0; round < rounds; round++) {
        pthread_barrier_wait(&meeting);
        pthread_barrier_wait(&meeting);
        if (round == 0) {
            size_t shared = shared_slabs();
            int apart = strcmp(argv[2], "apart") == 0;
            verdict(apart ? shared == 0 : shared > 0, argv[2], "%zu pairs of objects in one slab", shared);
        }
        pthread_barrier_wait(&meeting);
    }
    for (int i = 0; i < threads; i++) CHECK(pthread_join(workers[i], NULL) == 0);
    verdict(1, "rounds", "%zu rounds of %d threads", rounds, threads);
    return 0;
}
