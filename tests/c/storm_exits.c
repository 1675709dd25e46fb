/*
 * Ends of threads and of processes, argv[1] processes in all. Threads on the smallest stacks work in the heap, and all
 * that can be called at an end allocates and frees: destructors of keys that set their key again, thread-local
 * destructors and exit handlers that register the next one, at_quick_exit, a destructor function. They are counted.
 */
#include "storm.h"

extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);
extern void *__dso_handle;

enum { THREADS = 4, BUSY = 2, KEYS = 40, SHELF = 8, DEEP = 50 };

static pthread_key_t keys[KEYS];
static atomic_size_t key_ends, local_ends, exit_ends;
static size_t expected_at_exit = SIZE_MAX;

static void a_few_turns(uint64_t seed) {
    struct block shelf[SHELF] = {{NULL, 0, 0}};
    turns(shelf, SHELF, &seed, 10);
    clear(shelf, SHELF);
}

/* What is handed from one end to the next: how many have been, and a block. */
struct relay {
    size_t number;
    struct block block;
};

static struct relay *new_relay(size_t number) {
    struct relay *relay = malloc(sizeof *relay);
    CHECK(relay != NULL);
    uint64_t random = number;
    *relay = (struct relay){number, make(&random, any_size(&random))};
    return relay;
}

/* The number of the relay, which is gone. */
static size_t taken(struct relay *relay) {
    size_t number = relay->number;
    unmake(&relay->block);
    free(relay);
    a_few_turns(number + 1);
    return number;
}

static void key_ended(void *value) {
    struct relay *relay = value;
    pthread_key_t key = keys[relay->number % KEYS];
    size_t number = taken(relay) + KEYS;
    atomic_fetch_add(&key_ends, 1);
    if (number < KEYS * PTHREAD_DESTRUCTOR_ITERATIONS) CHECK(pthread_setspecific(key, new_relay(number)) == 0);
}

static void local_ended(void *value) {
    size_t number = taken(value) + 1;
    atomic_fetch_add(&local_ends, 1);
    if (number < DEEP)
        CHECK(__cxa_thread_atexit_impl(local_ended, new_relay(number), &__dso_handle) == 0);
}

static struct relay *at_exit;

static void exited(void) {
    size_t number = taken(at_exit) + 1;
    atomic_fetch_add(&exit_ends, 1);
    if (number >= DEEP) return;
    at_exit = new_relay(number);
    CHECK(atexit(exited) == 0);
}

static void quickly_exited(void) {
    size_t number = taken(at_exit) + 1;
    atomic_fetch_add(&exit_ends, 1);
    at_exit = new_relay(number);
}

/* Registered first, so it is called last. */
static void has_quickly_exited(void) { CHECK_AT(exit_ends == expected_at_exit, exit_ends); }

__attribute__((destructor)) static void destroyed(void) {
    a_few_turns(2);
    CHECK_AT(expected_at_exit == SIZE_MAX || exit_ends == expected_at_exit, exit_ends);
}

static void *lives_on_little(void *number) {
    CHECK(__cxa_thread_atexit_impl(local_ended, new_relay(0), &__dso_handle) == 0);
    for (size_t i = 0; i < KEYS; i++) CHECK(pthread_setspecific(keys[i], new_relay(i)) == 0);
    a_few_turns((uintptr_t)number);
    return NULL;
}

static void *never_ends(void *number) {
    for (size_t i = (uintptr_t)number;; i++) {
        a_few_turns(i);
        usleep(100);
    }
    return NULL;
}

static void *ends_the_process(void *code) { exit((int)(uintptr_t)code); }

static pthread_t first;

static void *is_the_last(void *code) {
    CHECK(pthread_join(first, NULL) == 0);
    exit((int)(uintptr_t)code);
}

/* The ways of a process to end, with threads that allocate meanwhile, and with thread-local ends of the main thread. */
static void leave(const char *way, int code) {
    alarm(PATIENCE_SECONDS);
    pthread_attr_t little;
    CHECK(pthread_attr_init(&little) == 0 && pthread_attr_setstacksize(&little, PTHREAD_STACK_MIN) == 0);
    for (int i = 0; i < KEYS; i++) CHECK(pthread_key_create(&keys[i], key_ended) == 0);
    pthread_t threads[THREADS], other;
    for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], &little, lives_on_little, (void *)i) == 0);
    join(threads, THREADS);
    CHECK_AT(key_ends == THREADS * KEYS * PTHREAD_DESTRUCTOR_ITERATIONS, key_ends);
    CHECK_AT(local_ends == THREADS * DEEP, local_ends);

    for (uintptr_t i = 0; i < BUSY; i++) CHECK(pthread_create(&other, &little, never_ends, (void *)i) == 0);
    lives_on_little(NULL);
    at_exit = new_relay(0);
    expected_at_exit = DEEP;
    if (strcmp(way, "quick") == 0) {
        CHECK(at_quick_exit(has_quickly_exited) == 0);
        for (int i = 0; i < DEEP; i++) CHECK(at_quick_exit(quickly_exited) == 0);
        quick_exit(code);
    }
    CHECK(atexit(exited) == 0);
    if (strcmp(way, "exit") == 0) exit(code);
    first = pthread_self();
    void *(*last)(void *) = strcmp(way, "thread") == 0 ? ends_the_process : is_the_last;
    CHECK(pthread_create(&other, &little, last, (void *)(uintptr_t)code) == 0);
    if (last == is_the_last) pthread_exit(NULL);
    for (;;) pause();
}

int main(int argc, char **argv) {
    if (argc == 4) {
        slubmalloc_is_in_charge();
        leave(argv[2], atoi(argv[3]));
    }
    static char *const ways[] = {"exit", "quick", "thread", "last"};
    size_t all = amount(argc, argv);
    watchdog(2 * PATIENCE_SECONDS);
    for (size_t i = 0; i < all; i++) {
        char code[16];
        snprintf(code, sizeof code, "%zu", i % 250 + 1);
        pid_t pid = fork();
        if (pid == 0) {
            execl("/proc/self/exe", argv[0], "leave", ways[i % 4], code, (char *)NULL);
            _exit(126);
        }
        ends_with(pid, atoi(code));
        gets_on();
    }
    return done();
}
