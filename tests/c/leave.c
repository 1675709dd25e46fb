/*
 * Ends of a program. argv[1] "exit": exit while other threads are in the heap; "main": the main thread
 * leaves by pthread_exit and the others go on; "quick": _exit from a thread.
 */
#include "check.h"
#include <pthread.h>

static pthread_t main_thread;

static void churn(size_t rounds) {
    uint64_t seed = rounds;
    void *blocks[100] = {NULL};
    for (size_t i = 0; i < rounds; i++) {
        size_t slot = random_of(&seed) % 100;
        free(blocks[slot]);
        CHECK((blocks[slot] = malloc(random_of(&seed) % (i % 100 ? 2000 : 6 * MIB))) != NULL);
    }
    for (int i = 0; i < 100; i++) free(blocks[i]);
}

static void *forever(void *unused) {
    for (;;) churn(1000);
    return unused;
}

static void *outlives_main(void *block) {
    CHECK(pthread_join(main_thread, NULL) == 0);
    free(block);
    churn(100000);
    done();
    exit(0);
}

static void at_exit(void) {
    churn(1000);
    done();
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 2);
    pthread_t thread;
    main_thread = pthread_self();
    churn(1000);
    if (strcmp(argv[1], "main") == 0) {
        CHECK(pthread_create(&thread, NULL, outlives_main, malloc(1000)) == 0);
        pthread_exit(NULL);
    }
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&thread, NULL, forever, NULL) == 0);
    usleep(20000);
    if (strcmp(argv[1], "quick") == 0) {
        done();
        _exit(0);
    }
    CHECK(atexit(at_exit) == 0);
    exit(0);
}
