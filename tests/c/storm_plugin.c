/*
 * A library to be opened and closed in a storm. It allocates in its constructor, checks and frees in its destructor, has
 * blocks for each thread that go by a destructor of their own, and thread-local memory that the loader takes from the
 * heap at first touch.
 */
#include "storm.h"

extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);
extern void *__dso_handle;

enum { OPENED = 20, MINE = 4 };

static struct block opened[OPENED];
static _Thread_local struct block mine[MINE];
static _Thread_local char loaders[70000];
static _Thread_local int known;

__attribute__((constructor)) static void opens(void) {
    uint64_t random = 3;
    for (int i = 0; i < OPENED; i++) opened[i] = make(&random, any_size(&random));
}

__attribute__((destructor)) static void closes(void) {
    for (int i = 0; i < OPENED; i++) CHECK(opened[i].at != NULL);
    clear(opened, OPENED);
}

static void thread_ends(void *of_thread) {
    clear(of_thread, MINE);
    uint64_t random = 4;
    turns(mine, MINE, &random, 3);
    clear(mine, MINE);
}

/* With `keeps`, something of this thread's stays until the thread's end, and the library with it. */
void *plugin_makes(size_t size, int keeps) {
    uint64_t random = size;
    if (keeps && !known) {
        known = 1;
        turns(mine, MINE, &random, 6);
        CHECK(__cxa_thread_atexit_impl(thread_ends, mine, &__dso_handle) == 0);
    }
    CHECK(all_zero(loaders, 64) && all_zero(loaders + sizeof loaders - 64, 64));
    loaders[random_of(&random) % 1000 + 100] = 1;
    return calloc(1, size);
}
