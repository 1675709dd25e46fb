/*
 * No misuse: threads pass blocks of all sizes to each other, and main returns while they do.
 * argv[1]: milliseconds until then.
 */
#include "misuse.h"
#include <stdatomic.h>

enum { THREADS = 4, PLACES = 64 };
static _Atomic(char *) places[PLACES];

static void *passes_on(void *seed) {
    uint64_t state = (uintptr_t)seed;
    for (;;) {
        uint64_t random = random_of(&state);
        size_t size = random % 64 == 0 ? 5000 + random / 64 % 60000 : 16 + random / 64 % 500;
        char *block = random % 3 == 0 ? NULL : malloc(size);
        if (block != NULL) memset(block, 'a', 16);
        /* What was there is another thread's, mostly. */
        free(atomic_exchange(&places[random / 1024 % PLACES], block));
    }
    return NULL;
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, passes_on, (void *)(i + 1)) == 0);
    }
    usleep(1000 * argument(argc, argv, 1));
    return 0;
}
