/*
 * A signal handler allocates, whatever it has interrupted in the first malloc of the process. POSIX promises nothing then; the
 * heap promises that nobody waits for ever, and that what the handler got is a block as any other, for ever.
 */
#include "check.h"
#include <malloc.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { CHILDREN = 400, BLOCKS = 4 };
static volatile sig_atomic_t is_first_use;
static void *volatile got[BLOCKS];

static void allocate(int signal) {
    (void)signal;
    /* In what comes later it may meet a lock of its own thread's, as in any heap. */
    if (!is_first_use || got[0] != NULL) return;
    char *block = malloc(100);
    CHECK(block != NULL);
    paint(block, 100, 7);
    CHECK(malloc_usable_size(block) >= 100);
    CHECK((block = realloc(block, 50000)) != NULL);
    CHECK(painted(block, 96, 7));
    got[0] = block;
    got[1] = calloc(10, 10);
    got[2] = aligned_alloc(65536, 200000);
    CHECK(got[1] != NULL && got[2] != NULL && (uintptr_t)got[2] % 65536 == 0);
    free(malloc(5 * MIB));
}

static void child(int microseconds) {
    alarm(60);
    struct sigaction action = {.sa_handler = allocate};
    CHECK(sigaction(SIGVTALRM, &action, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
    struct sigaction real = {.sa_handler = allocate};
    CHECK(sigaction(SIGPROF, &real, NULL) == 0);
    pid_t self = getpid(), sender = fork();
    if (sender == 0) {
        for (volatile int i = 0; i < microseconds * 100; i++) {}
        kill(self, SIGUSR1);
        _exit(0);
    }
    is_first_use = 1;
    char *block = malloc(1000);
    is_first_use = 0;
    CHECK(block != NULL);
    int status;
    while (waitpid(sender, &status, 0) < 0) {}
    paint(block, 1000, 1);
    if (got[0] != NULL) {
        CHECK(painted(got[0], 96, 7));
        got[0] = realloc(got[0], 100000);
        CHECK(got[0] != NULL && painted(got[0], 96, 7));
        for (int i = 0; i < 100; i++) CHECK(((char *)got[1])[i] == 0);
        CHECK(malloc_usable_size(got[2]) >= 200000);
        for (int i = 0; i < BLOCKS; i++) free(got[i]);
    }
    CHECK(painted(block, 1000, 1));
    free(block);
    _exit(got[0] != NULL ? 1 : 0);
}

int main(void) {
    slubmalloc_is_in_charge();
    int hits = 0;
    for (int i = 0; i < CHILDREN; i++) {
        pid_t one = fork();
        CHECK(one >= 0);
        if (one == 0) child(i);
        int status;
        CHECK(waitpid(one, &status, 0) == one);
        CHECK_AT(WIFEXITED(status) && WEXITSTATUS(status) < 2, status);
        hits += WEXITSTATUS(status);
    }
    printf("%d of %d handlers came in time\n", hits, CHILDREN);
    fflush(stdout);
    return done();
}
