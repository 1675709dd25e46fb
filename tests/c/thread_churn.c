/* 100,000 threads come and go, each with a mixed handful of blocks: nothing of them stays. */
#include "check.h"
#include <pthread.h>

static void *lives_briefly(void *number) {
    uint64_t seed = (uintptr_t)number;
    void *blocks[8];
    for (int i = 0; i < 8; i++) {
        size_t size = 1 + random_of(&seed) % (i == 7 ? 60000 : 2000);
        CHECK((blocks[i] = malloc(size)) != NULL);
        ((char *)blocks[i])[0] = 1;
        ((char *)blocks[i])[size - 1] = 1;
    }
    for (int i = 0; i < 7; i++) free(blocks[i]);
    return blocks[7];
}

int main(void) {
    slubmalloc_is_in_charge();
    size_t early = 0;
    for (uintptr_t n = 0; n < 100000; n += 2) {
        pthread_t one, two;
        void *left;
        CHECK(pthread_create(&one, NULL, lives_briefly, (void *)n) == 0);
        CHECK(pthread_create(&two, NULL, lives_briefly, (void *)(n + 1)) == 0);
        CHECK(pthread_join(one, &left) == 0);
        free(left);
        CHECK(pthread_join(two, &left) == 0);
        free(left);
        if (n == 1000) early = resident();
    }
    CHECK_AT(resident() < early + 4 * MIB, (resident() - early) / KIB);
    return done();
}
