/*
 * fork from sixteen threads at once while four more do nothing but allocate. Children work in the heap, free what they
 * inherit, start a thread or fork again, and end by _exit, exit or exec with a code that their parent knows. argv[1]:
 * children in all. A lock that fork leaves behind is met by the child's watchdog.
 */
#include "storm.h"

enum { FORKERS = 16, BUSY = 4, SHELF = 32, INHERITED = 200 };

static struct block inherited[INHERITED];
static atomic_size_t forked;
static size_t all;
static atomic_int stop;

static void *in_the_child(void *random) {
    struct block shelf[SHELF] = {{NULL, 0, 0}};
    turns(shelf, SHELF, random, 30);
    clear(shelf, SHELF);
    return malloc(100);
}

static void child(struct block *shelf, uint64_t random, int code) {
    watchdog(PATIENCE_SECONDS);
    turns(shelf, SHELF, &random, 20);
    clear(shelf, SHELF);
    clear(inherited, INHERITED);
    uint64_t choice = random_of(&random);
    if (choice % 4 == 0) {
        pthread_t thread;
        void *left;
        CHECK(pthread_create(&thread, NULL, in_the_child, &random) == 0);
        CHECK(pthread_join(thread, &left) == 0);
        free(left);
    }
    if (choice % 16 == 1) {
        pid_t grandchild = fork();
        CHECK(grandchild >= 0);
        if (grandchild == 0) {
            alarm(PATIENCE_SECONDS);
            free(in_the_child(&random));
            _exit(7);
        }
        ends_with(grandchild, 7);
    }
    char text[16];
    snprintf(text, sizeof text, "%d", code);
    switch (choice / 16 % 4) {
    case 0: execl("/proc/self/exe", "storm_fork", "ends", text, (char *)NULL); CHECK(!"exec"); break;
    /* exit would wait for streams, which other threads may have held at the fork; here nobody writes to any. */
    case 1: exit(code);
    default: _exit(code);
    }
}

static void *forks(void *number) {
    uint64_t random = (uintptr_t)number * 7919;
    struct block shelf[SHELF] = {{NULL, 0, 0}};
    while (atomic_fetch_add(&forked, 1) < all) {
        turns(shelf, SHELF, &random, 20);
        int code = 1 + (int)(random_of(&random) % 250);
        uint64_t childs = random_of(&random);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) child(shelf, childs, code);
        turns(shelf, SHELF, &random, 20);
        ends_with(pid, code);
        gets_on();
    }
    clear(shelf, SHELF);
    return NULL;
}

static void *busy(void *number) {
    uint64_t random = (uintptr_t)number * 104729;
    struct block shelf[4 * SHELF] = {{NULL, 0, 0}};
    while (!stop) {
        turns(shelf, 4 * SHELF, &random, 100);
        usleep(500); /* let the forks have a share of the processors */
    }
    clear(shelf, 4 * SHELF);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "ends") == 0) {
        slubmalloc_is_in_charge();
        uint64_t random = 1;
        free(in_the_child(&random));
        return atoi(argv[2]);
    }
    all = amount(argc, argv);
    watchdog(2 * PATIENCE_SECONDS);
    uint64_t random = 5;
    for (int i = 0; i < INHERITED; i++) inherited[i] = make(&random, 1 + 100 * (size_t)i);
    pthread_t forkers[FORKERS], others[BUSY];
    start(others, BUSY, busy);
    start(forkers, FORKERS, forks);
    join(forkers, FORKERS);
    stop = 1;
    join(others, BUSY);
    clear(inherited, INHERITED);
    return done();
}
