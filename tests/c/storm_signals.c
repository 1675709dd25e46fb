/*
 * Signals in the middle of malloc: eight threads work in the heap while a timer, the profiler's clock and a thread with
 * pthread_kill interrupt them, argv[1] times in all. The handlers run on alternate stacks, do what POSIX allows them
 * (they do not allocate), and leave errno alone; the heap's own thread must never be asked to run one.
 */
#include "storm.h"
#include <sys/time.h>

enum { THREADS = 8, SHELF = 64, STACK = 64 * 1024, SIGNALS = 3 };
static const int numbers[SIGNALS] = {SIGALRM, SIGPROF, SIGUSR1};

static _Thread_local char *alternate;
static atomic_size_t heard[SIGNALS], nested, turned[THREADS];
static _Thread_local volatile sig_atomic_t depth;
static atomic_int stop;
static int pipe_ends[2];
static pthread_t workers[THREADS];

static void on_signal(int number, siginfo_t *info, void *context) {
    int kept = errno;
    char here = 0, there[256];
    CHECK_AT(alternate != NULL, gettid());
    CHECK(&here >= alternate && &here < alternate + STACK);
    CHECK(info->si_signo == number && context != NULL);
    if (depth++ > 0) atomic_fetch_add(&nested, 1);
    struct timespec time;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    memset(there, number, sizeof there);
    CHECK(write(pipe_ends[1], there, 1) == 1 && read(pipe_ends[0], &here, 1) == 1 && here != 0);
    for (int i = 0; i < SIGNALS; i++)
        if (numbers[i] == number) atomic_fetch_add(&heard[i], 1);
    depth--;
    errno = kept;
}

static void alternate_stack(void) {
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack != MAP_FAILED);
    stack_t is = {.ss_sp = stack, .ss_size = STACK};
    CHECK(sigaltstack(&is, NULL) == 0);
    alternate = stack;
}

static void *works(void *number) {
    alternate_stack();
    uint64_t random = (uintptr_t)number * 7919;
    struct block shelf[SHELF] = {{NULL, 0, 0}};
    sigset_t ours;
    sigemptyset(&ours);
    for (int i = 0; i < SIGNALS; i++) sigaddset(&ours, numbers[i]);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &ours, NULL) == 0);
    while (!stop) {
        turn(shelf, SHELF, &random);
        atomic_fetch_add(&turned[(uintptr_t)number - 1], 1);
    }
    CHECK(pthread_sigmask(SIG_BLOCK, &ours, NULL) == 0);
    clear(shelf, SHELF);
    return NULL;
}

static size_t heard_in_all(void) {
    size_t sum = 0;
    for (int i = 0; i < SIGNALS; i++) sum += heard[i];
    return sum;
}

int main(int argc, char **argv) {
    size_t all = amount(argc, argv);
    CHECK(pipe(pipe_ends) == 0);
    sigset_t ours;
    sigemptyset(&ours);
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
        CHECK(sigaction(numbers[i], &action, NULL) == 0);
        sigaddset(&ours, numbers[i]);
    }
    /* Blocked here and wherever a thread is born; the workers ask for them when their stack is there. */
    CHECK(pthread_sigmask(SIG_BLOCK, &ours, NULL) == 0);
    start(workers, THREADS, works);

    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_PROF, &often, NULL) == 0);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec very_often = {{0, 50000}, {0, 50000}};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &very_often, NULL) == 0);
    double hung = now() + PATIENCE_SECONDS + (double)all / 2000;
    for (size_t i = 0; heard_in_all() < all; i++) {
        CHECK(pthread_kill(workers[i % THREADS], SIGUSR1) == 0);
        if (i % 16 == 0) rest(1); /* so that there is something to interrupt */
        CHECK_AT(now() < hung, heard_in_all());
    }
    CHECK(timer_delete(timer) == 0 && setitimer(ITIMER_PROF, &never, NULL) == 0);
    stop = 1;
    struct timespec end = {0, 0};
    CHECK(clock_gettime(CLOCK_REALTIME, &end) == 0);
    end.tv_sec += PATIENCE_SECONDS;
    for (int i = 0; i < THREADS; i++) CHECK_AT(pthread_timedjoin_np(workers[i], NULL, &end) == 0, i);
    say("heard %zu of the timer, %zu of the profiler, %zu by hand, %zu in another handler\n", (size_t)heard[0],
        (size_t)heard[1], (size_t)heard[2], (size_t)nested);
    for (int i = 0; i < SIGNALS; i++) CHECK_AT(heard[i] > 0, i);
    for (int i = 0; i < THREADS; i++) CHECK_AT(turned[i] > 0, i);
    return done();
}
