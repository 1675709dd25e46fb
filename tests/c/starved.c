/*
 * Nothing is left: a thread's first malloc is NULL and its first free works, and a block can still be made
 * smaller. The address space is limited by the test, before the start.
 */
#include "check.h"
#include <pthread.h>
#include <sys/resource.h>

static pthread_barrier_t barrier;
static void *gift;

static void *asks(void *unused) {
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    void *p = malloc(32);
    CHECK(p == NULL || malloc_usable_size(p) >= 32);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void *frees(void *unused) {
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    free(gift);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void starve(void) {
    for (size_t size = 64 * MIB; size >= 16; size = size > 64 ? size / 2 : size - 16)
        while (escape(malloc(size)) != NULL) {}
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    if (argc == 1) {
        struct rlimit limit = {400 * MIB, 400 * MIB};
        CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
        execl("/proc/self/exe", argv[0], "limited", (char *)NULL);
        CHECK(!"exec");
    }
    void *small = malloc(30000), *large = malloc(3 * MIB), *huge = malloc(8 * MIB);
    CHECK(small != NULL && large != NULL && huge != NULL);
    memset(small, 7, 100);
    CHECK(pthread_barrier_init(&barrier, NULL, 3) == 0);
    pthread_t consumer, freer;
    CHECK(pthread_create(&consumer, NULL, asks, NULL) == 0 && pthread_create(&freer, NULL, frees, NULL) == 0);
    pthread_barrier_wait(&barrier);
    CHECK((gift = malloc(100)) != NULL);
    starve();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    starve();
    CHECK((small = realloc(small, 100)) != NULL && ((char *)small)[99] == 7);
    CHECK(realloc(large, 100) != NULL && realloc(huge, 100) != NULL);
    CHECK(write(1, "ok\n", 3) == 3);
    _exit(0);
}
