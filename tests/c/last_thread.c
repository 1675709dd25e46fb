/*
 * A main thread that leaves by pthread_exit, and a last thread that ends: the process ends with it, although there may be a
 * purge thread.
 */
#include "check.h"
#include <pthread.h>

static void *last(void *unused) {
    void *much[64];
    for (int i = 0; i < 64; i++) CHECK((much[i] = calloc(1, MIB)) != NULL);
    for (int i = 0; i < 64; i++) free(much[i]);
    usleep(300000);
    done();
    return unused;
}

int main(void) {
    slubmalloc_is_in_charge();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, last, NULL) == 0);
    CHECK(pthread_detach(thread) == 0);
    pthread_exit(NULL);
}
