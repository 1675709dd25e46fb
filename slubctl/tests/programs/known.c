/* A heap whose every count is known. Argument: what to do then: sleep, stop, loop, abort, threads, churn, deadlock, strict for
 * a sandbox of three system calls, undumpable, leave for a first thread that ends, holes for
 * many partial slabs, or many for a big heap. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Sizes that are classes of their own, and that libc does not ask for. */
static const struct { size_t size; int count, freed; } KNOWN[] = {
    {192, 5000, 1000}, {384, 3000, 2999}, {768, 700, 0}, {1280, 400, 100}, {5120, 99, 33}, {40960, 20, 5},
};
enum { LARGE = 7, LARGE_BYTES = 300 << 10, HUGE_BLOCKS = 3, HUGE_BYTES = 8 << 20, PER_THREAD = 50 };

static void *kept[16 << 10];
static volatile int running;

static void *block(size_t size)
{
    char *it = malloc(size);
    if (it == NULL) _exit(3);
    memset(it, 1, size);
    return it;
}

static void known(void)
{
    for (size_t class = 0; class < sizeof KNOWN / sizeof *KNOWN; class++) {
        for (int index = 0; index < KNOWN[class].count; index++) kept[index] = block(KNOWN[class].size);
        for (int index = 0; index < KNOWN[class].freed; index++) free(kept[index]);
    }
    for (int index = 0; index < LARGE; index++) kept[index] = block(LARGE_BYTES);
    for (int index = 0; index < HUGE_BLOCKS; index++) kept[index] = block(HUGE_BYTES);
    free(kept[0]);
}

static void *thread(void *unused)
{
    (void)unused;
    void *mine[PER_THREAD];
    for (int index = 0; index < PER_THREAD; index++) mine[index] = block(2048);
    for (int index = 0; index < PER_THREAD; index++) free(mine[index]);
    __atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
    for (;;) pause();
    return NULL;
}

static void *churn(void *seed)
{
    static const size_t SIZES[] = {24, 100, 300, 900, 2500, 9000, 40000, 300000, 6 << 20};
    void *mine[64] = {0};
    free(block(24));
    __atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
    for (unsigned step = (unsigned)(size_t)seed;; step = step * 1664525 + 1013904223) {
        unsigned place = step >> 26;
        free(mine[place]);
        mine[place] = malloc(SIZES[(step >> 8) % (step >> 16 & 255 ? 7 : 9)]);
    }
    return NULL;
}

/* One thread is interrupted where it holds a lock of the allocator's, and another waits for that. */
static volatile unsigned long held_steps, waiting_steps;
static volatile int is_held;

static void hold(int signal)
{
    (void)signal;
    while (is_held) continue;
}

static void *take_and_give(void *steps)
{
    static const size_t SIZES[] = {300000, 700000, 1500000, 3000000};
    volatile unsigned long *mine = steps;
    void *blocks[64] = {0};
    for (unsigned step = 1;; step = step * 1664525 + 1013904223, ++*mine) {
        free(blocks[step >> 26]);
        blocks[step >> 26] = malloc(SIZES[step >> 16 & 3]);
    }
    return NULL;
}

static void deadlock(void)
{
    pthread_t held, waiting;
    signal(SIGUSR1, hold);
    if (pthread_create(&held, NULL, take_and_give, (void *)&held_steps) != 0) _exit(3);
    if (pthread_create(&waiting, NULL, take_and_give, (void *)&waiting_steps) != 0) _exit(3);
    for (int attempt = 0; attempt < 20000; attempt++) {
        usleep(200 + attempt % 97);
        is_held = 1;
        pthread_kill(held, SIGUSR1);
        usleep(2000);
        unsigned long before = waiting_steps, mine = held_steps;
        usleep(before == waiting_steps ? 300000 : 0);
        if (before == waiting_steps && mine == held_steps) return;
        is_held = 0;
    }
    _exit(4);
}

int main(int count, char **arguments)
{
    const char *end = count > 1 ? arguments[1] : "sleep";
    if (strcmp(end, "many") == 0) {
        /* Ten million objects, of which one in 64 is written to: ten gibibytes of addresses. */
        for (long index = 0; index < 10 * 1000 * 1000; index++) {
            char *it = malloc(1024);
            if (it == NULL) _exit(3);
            if (index % 64 == 0) *it = 1;
        }
    } else {
        known();
    }
    for (int index = 0; strcmp(end, "holes") == 0 && index < 16 << 10; index++) kept[index] = block(768);
    for (int index = 0; strcmp(end, "holes") == 0 && index < 16 << 10; index++) {
        if (index % 8 != 0) free(kept[index]);
    }
    int is_left = strcmp(end, "leave") == 0;
    for (int index = 0; (is_left || strcmp(end, "threads") == 0) && index < 3; index++) {
        pthread_t handle;
        if (pthread_create(&handle, NULL, thread, NULL) != 0) _exit(3);
    }
    for (size_t index = 0; strcmp(end, "churn") == 0 && index < 3; index++) {
        pthread_t handle;
        if (pthread_create(&handle, NULL, churn, (void *)index) != 0) _exit(3);
    }
    if (strcmp(end, "deadlock") == 0) deadlock();
    if (strcmp(end, "undumpable") == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) _exit(3);
    /* SECCOMP_MODE_STRICT, whose header and that of prctl do not go together everywhere. */
    if (strcmp(end, "strict") == 0 && prctl(PR_SET_SECCOMP, 1, 0, 0, 0) != 0) _exit(3);
    while ((is_left || strcmp(end, "threads") == 0 || strcmp(end, "churn") == 0) && running < 3) usleep(1000);
    if (write(1, "ready\n", 6) != 6) _exit(3);
    if (strcmp(end, "stop") == 0) raise(SIGSTOP);
    if (strcmp(end, "abort") == 0) abort();
    while (strcmp(end, "loop") == 0 || strcmp(end, "strict") == 0) running++;
    if (is_left) pthread_exit(NULL);
    for (;;) pause();
}
