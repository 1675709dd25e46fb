/* Counts a real-time signal that a child of its sends as fast as it can, until the standard input ends. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t taken;

static void take(int signal)
{
    (void)signal;
    taken++;
}

static int sent(void)
{
    int count = 0;
    char byte;
    fcntl(0, F_SETFL, O_NONBLOCK);
    while (read(0, &byte, 1) < 0) {
        if (sigqueue(getppid(), SIGRTMIN + 3, (union sigval){0}) == 0) count++;
        else sched_yield();
    }
    return count;
}

int main(void)
{
    int ends[2], count;
    struct sigaction action = {.sa_handler = take, .sa_flags = SA_RESTART};
    free(malloc(100));
    if (sigaction(SIGRTMIN + 3, &action, NULL) != 0 || pipe(ends) != 0) return 2;
    if (write(1, "ready\n", 6) != 6) return 3;
    if (fork() == 0) {
        count = sent();
        _exit(write(ends[1], &count, sizeof count) != sizeof count);
    }
    while (read(ends[0], &count, sizeof count) != sizeof count) continue;
    /* What is queued was taken before this call returned. */
    getppid();
    printf("sent %d taken %d\n", count, (int)taken);
    return 0;
}
