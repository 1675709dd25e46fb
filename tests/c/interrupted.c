/* single-threaded: also run on aarch64 under emulation. */
/* A storm of timer signals, whose handlers do not allocate, changes nothing. */
#include "check.h"
#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t storms;

static void on_alarm(int unused) {
    (void)unused;
    storms++;
}

int main(void) {
    slubmalloc_is_in_charge();
    struct sigaction action = {.sa_handler = on_alarm};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    static char *blocks[1000];
    static size_t held[1000];
    uint64_t seed = 6;
    for (unsigned i = 0; storms < 5000; i++) {
        size_t slot = random_of(&seed) % 1000;
        if (blocks[slot]) CHECK_AT(painted(blocks[slot], held[slot], (unsigned)slot), i);
        free(blocks[slot]);
        held[slot] = 1 + random_of(&seed) % (i % 1000 == 0 ? 6 * MIB : i % 10 == 0 ? 60000 : 600);
        CHECK_AT((blocks[slot] = malloc(held[slot])) != NULL, i);
        paint(blocks[slot], held[slot], (unsigned)slot);
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    return done();
}
