/* Four threads that take and free blocks below a limit which all of them together never reach: nobody is refused. */
#include "check.h"
#include <pthread.h>

static void *takes(void *seed) {
    unsigned random = (unsigned)(uintptr_t)seed;
    void *blocks[8] = {NULL};
    for (int i = 0; i < 20000; i++) {
        random = random * 1103515245 + 12345;
        void **block = &blocks[random >> 16 & 7];
        free(*block);
        *block = calloc(1, (size_t)1 << (10 + (random >> 20) % 13));
        CHECK_AT(*block != NULL, i);
    }
    for (int i = 0; i < 8; i++) free(blocks[i]);
    return NULL;
}

int main(void) {
    slubmalloc_is_in_charge();
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, takes, (void *)(i + 1)) == 0);
    for (int i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    return done();
}
