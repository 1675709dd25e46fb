/* Threads cancelled in the middle of malloc loops: the heap is no cancellation point and loses no lock. */
#include "check.h"
#include <pthread.h>

static void release(void *block) { free(block); }

static void *until_cancelled(void *unused) {
    for (volatile size_t i = 1;; i = i * 7 % 65521) {
        void *p = malloc(i * (i % 50 == 0 ? 100 : 1));
        CHECK(p != NULL);
        pthread_cleanup_push(release, p);
        *(char *)p = 1;
        pthread_testcancel();
        pthread_cleanup_pop(1);
    }
    return unused;
}

int main(void) {
    slubmalloc_is_in_charge();
    size_t early = 0;
    for (int round = 0; round < 300; round++) {
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, until_cancelled, NULL) == 0);
        if (round % 3) usleep(300);
        for (int i = 0; i < 4; i++) CHECK(pthread_cancel(threads[i]) == 0);
        for (int i = 0; i < 4; i++) {
            void *result;
            CHECK(pthread_join(threads[i], &result) == 0 && result == PTHREAD_CANCELED);
        }
        free(memset(malloc(5000), 1, 5000));
        if (round == 50) early = resident();
    }
    CHECK(resident() < early + 16 * MIB);
    return done();
}
