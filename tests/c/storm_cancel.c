/*
 * Threads are cancelled wherever they are, argv[1] of them, and their clean-up handlers free what they hold: at points of
 * their own, in calculations with asynchronous cancellation (which is off around malloc), waiting for a condition,
 * asleep. Every block is freed in the end; were malloc or free a cancellation point, some would not be.
 */
#include "storm.h"

enum { THREADS = 8, SHELF = 16 };

struct shelf {
    struct block blocks[SHELF];
    uint64_t random;
};

/* Blocks on shelves, counted before they are made and after they are gone. */
static atomic_long live;
static atomic_size_t cancelled_in[4];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never_comes = PTHREAD_COND_INITIALIZER;

static void drop(struct block *block) {
    if (block->at == NULL) return;
    unmake(block);
    atomic_fetch_sub(&live, 1);
}

static void work(struct shelf *shelf, int number) {
    while (number-- > 0) {
        struct block *block = &shelf->blocks[random_of(&shelf->random) % SHELF];
        drop(block);
        atomic_fetch_add(&live, 1);
        *block = make(&shelf->random, any_size(&shelf->random));
    }
}

static void clean_up(void *of_thread) {
    struct shelf *shelf = of_thread;
    work(shelf, 3);
    for (int i = 0; i < SHELF; i++) drop(&shelf->blocks[i]);
}

static void unlock(void *unused) {
    (void)unused;
    CHECK(pthread_mutex_unlock(&lock) == 0);
}

static void at_its_own_points(struct shelf *shelf) {
    work(shelf, 20);
    pthread_testcancel();
}

static void at_any_instruction(struct shelf *shelf) {
    work(shelf, 20);
    uint64_t sum = 0;
    CHECK(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL) == 0);
    for (int i = 0; i < 20000; i++) __asm__ volatile("" : "+r"(sum));
    CHECK(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL) == 0);
    CHECK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL) == 0);
    work(shelf, 5);
    pthread_testcancel();
    work(shelf, 5);
    CHECK(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL) == 0);
}

static void while_it_waits(struct shelf *shelf) {
    work(shelf, 20);
    struct timespec soon;
    CHECK(clock_gettime(CLOCK_REALTIME, &soon) == 0);
    soon.tv_nsec += 200000;
    if (soon.tv_nsec >= 1000000000) soon.tv_sec++, soon.tv_nsec -= 1000000000;
    CHECK(pthread_mutex_lock(&lock) == 0);
    pthread_cleanup_push(unlock, NULL);
    work(shelf, 1);
    pthread_cond_timedwait(&never_comes, &lock, &soon);
    pthread_cleanup_pop(1);
}

static void while_it_sleeps(struct shelf *shelf) {
    work(shelf, 20);
    usleep(100);
}

static void *until_cancelled(void *number) {
    static void (*const ways[])(struct shelf *) = {at_its_own_points, at_any_instruction, while_it_waits, while_it_sleeps};
    struct shelf shelf = {{{NULL, 0, 0}}, (uintptr_t)number * 7919};
    size_t way = (uintptr_t)number % 4;
    pthread_cleanup_push(clean_up, &shelf);
    atomic_fetch_add(&cancelled_in[way], 1);
    for (;;) ways[way](&shelf);
    pthread_cleanup_pop(1);
    return NULL;
}

int main(int argc, char **argv) {
    size_t all = amount(argc, argv);
    watchdog(2 * PATIENCE_SECONDS);
    struct plateau plateau = {.all = (all + THREADS - 1) / THREADS};
    uint64_t random = 23;
    for (size_t number = 0; number < all; number += THREADS) {
        pthread_t threads[THREADS];
        for (size_t i = 0; i < THREADS; i++)
            CHECK_AT(pthread_create(&threads[i], NULL, until_cancelled, (void *)(number + i + 1)) == 0, number);
        for (size_t i = 0; i < THREADS; i++) {
            if (random_of(&random) % 2) usleep((useconds_t)(random_of(&random) % 400));
            CHECK(pthread_cancel(threads[i]) == 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            void *result;
            CHECK(pthread_join(threads[i], &result) == 0 && result == PTHREAD_CANCELED);
        }
        CHECK_AT(live == 0, live);
        look(&plateau, number / THREADS + 1);
        gets_on();
    }
    say("cancelled at work: %zu, %zu, %zu, %zu\n", (size_t)cancelled_in[0], (size_t)cancelled_in[1],
        (size_t)cancelled_in[2], (size_t)cancelled_in[3]);
    for (int way = 0; way < 4; way++) CHECK_AT(cancelled_in[way] > 0, way);
    is_level(&plateau);
    return done();
}
