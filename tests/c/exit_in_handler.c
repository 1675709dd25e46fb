/* exit from a signal handler, whichever thread it interrupts and whatever that one does. argv[1]: microseconds until then. */
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

static void ends(int number) {
    (void)number;
    exit(0);
}

static void *works(void *seed) {
    unsigned random = (unsigned)(uintptr_t)seed;
    void *blocks[64] = {0};
    for (;;) {
        random = random * 1103515245 + 12345;
        int place = (random >> 16) % 64;
        free(blocks[place]);
        blocks[place] = malloc((random >> 8) % ((random >> 20) % 8 == 0 ? 200000 : 3000));
    }
    return NULL;
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 2 && signal(SIGALRM, ends) != SIG_ERR);
    struct itimerval once = {{0, 0}, {0, atoi(argv[1])}};
    CHECK(setitimer(ITIMER_REAL, &once, NULL) == 0);
    pthread_t thread;
    for (uintptr_t seed = 2; seed < 5; seed++) CHECK(pthread_create(&thread, NULL, works, (void *)seed) == 0);
    works((void *)1);
}
