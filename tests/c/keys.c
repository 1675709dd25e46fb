/* The allocator takes none of the PTHREAD_KEYS_MAX keys: a program may create them all. */
#include "check.h"
#include <limits.h>
#include <pthread.h>

static pthread_key_t keys[PTHREAD_KEYS_MAX];

static void *uses_all(void *unused) {
    for (size_t i = 0; i < PTHREAD_KEYS_MAX; i++) CHECK_AT(pthread_setspecific(keys[i], malloc(i)) == 0, i);
    return unused;
}

int main(void) {
    slubmalloc_is_in_charge();
    free(malloc(100));
    for (size_t i = 0; i < PTHREAD_KEYS_MAX; i++) CHECK_AT(pthread_key_create(&keys[i], free) == 0, i);
    pthread_t thread;
    for (int i = 0; i < 20; i++)
        CHECK(pthread_create(&thread, NULL, uses_all, NULL) == 0 && pthread_join(thread, NULL) == 0);
    return done();
}
