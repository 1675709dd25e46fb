/*
 * Frees an object of a real slab that malloc never returned; seen when the slab takes it back, here
 * when the thread ends.
 */
#include "violation.h"
#include <pthread.h>

static void *culprit_thread(void *unused) {
    /* The last object of the block's 64 KiB: with one block taken, nobody got that far. */
    uintptr_t real = (uintptr_t)malloc(64);
    free(report_violation((void *)((real & ~(uintptr_t)0xffff) + 0x10000 - 64)));
    return unused;
}

int main(void) {
    slubmalloc_is_in_charge();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, culprit_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    return got_away();
}
