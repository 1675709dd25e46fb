/*
 * Threads come and go, argv[1] of them, and hand blocks to each other through mailboxes: who takes one out checks its
 * contents and frees it. Some only take, some only put, one in four is detached. Nothing of them stays.
 */
#include "storm.h"

enum { CREATORS = 4, MAILBOXES = 1024, MOST_DETACHED = 32 };

static _Atomic(struct block *) mailboxes[MAILBOXES];
static atomic_size_t created, detached;
static struct plateau plateau;

/* The letter is a small block of the same thread's. */
static void put(uint64_t *random) {
    struct block *letter = malloc(sizeof *letter);
    CHECK(letter != NULL);
    *letter = make(random, any_size(random));
    letter = atomic_exchange(&mailboxes[random_of(random) % MAILBOXES], letter);
    if (letter != NULL) unmake(letter);
    free(letter);
}

static void take(_Atomic(struct block *) *mailbox) {
    struct block *letter = atomic_exchange(mailbox, NULL);
    if (letter != NULL) unmake(letter);
    free(letter);
}

static void *lives_briefly(void *number) {
    uint64_t random = (uintptr_t)number * 7919;
    uint64_t kind = random_of(&random) % 4;
    for (int i = 0; i < 8; i++) {
        if (kind != 0) put(&random);
        if (kind != 1) take(&mailboxes[random_of(&random) % MAILBOXES]);
    }
    return malloc(any_size(&random) % 3000);
}

static void *is_detached(void *number) {
    free(lives_briefly(number));
    atomic_fetch_sub(&detached, 1);
    return NULL;
}

static void *creates(void *unused) {
    size_t number;
    while ((number = atomic_fetch_add(&created, 1)) < plateau.all) {
        look(&plateau, number + 1);
        gets_on();
        pthread_t thread;
        void *left;
        if (number % 4 == 0 && detached < MOST_DETACHED) {
            atomic_fetch_add(&detached, 1);
            CHECK_AT(pthread_create(&thread, NULL, is_detached, (void *)number) == 0, number);
            CHECK(pthread_detach(thread) == 0);
            continue;
        }
        CHECK_AT(pthread_create(&thread, NULL, lives_briefly, (void *)number) == 0, number);
        CHECK(pthread_join(thread, &left) == 0);
        free(left);
    }
    return unused;
}

int main(int argc, char **argv) {
    plateau.all = amount(argc, argv);
    watchdog(2 * PATIENCE_SECONDS);
    pthread_t creators[CREATORS];
    start(creators, CREATORS, creates);
    join(creators, CREATORS);
    while (detached > 0) rest(1);
    for (int i = 0; i < MAILBOXES; i++) take(&mailboxes[i]);
    is_level(&plateau);
    return done();
}
