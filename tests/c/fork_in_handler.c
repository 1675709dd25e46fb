/*
 * A signal handler that forks, whatever it has interrupted in the only thread of the program, and children that return from
 * the handler into what was interrupted. Under a purge thread of the heap's it is not the only thread of the process.
 */
#include "check.h"
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { SLOTS = 1009, FORKS = 600, LIVING = 20 };
static volatile int forks;
static volatile sig_atomic_t is_child;

static void fork_here(int signal) {
    (void)signal;
    int kept = errno;
    pid_t child = fork();
    if (child == 0) {
        /* Some of them live on. */
        if (forks % LIVING != 0) _exit(0);
        is_child = 1;
        return;
    }
    if (child > 0) {
        int status;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
        CHECK(status == 0);
        forks++;
    }
    errno = kept;
}

int main(void) {
    slubmalloc_is_in_charge();
    alarm(240);
    struct sigaction action = {.sa_handler = fork_here, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGPROF, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_PROF, &(struct itimerval){{0, 700}, {0, 700}}, NULL) == 0);
    static void *slots[SLOTS];
    uint64_t seed = 1;
    int left = 20000;
    while (is_child ? left-- > 0 : forks < FORKS) {
        if (is_child && left == 19999) setitimer(ITIMER_PROF, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
        void **slot = &slots[random_of(&seed) % SLOTS];
        size_t bytes = random_of(&seed) % 70000;
        free(*slot);
        CHECK((*slot = malloc(bytes)) != NULL);
        *(char *)*slot = 1;
    }
    return is_child ? 0 : done();
}
