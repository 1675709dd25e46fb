/*
 * Huge blocks that change their lengths in small and in large steps, each asked for three times, in two threads that hand them
 * to each other: each is as long as was asked last, also where a shorter one takes the addresses of one that was freed.
 */
#include "check.h"
#include <pthread.h>

#define SLOTS 8

static int rounds;

struct block {
    size_t size;
};

static struct block *slots[SLOTS];

static struct block *resized(struct block *block, size_t size) {
    size_t before = block->size, page = 4096;
    for (int i = 0; i < 3; i++) {
        CHECK_AT((block = realloc(block, size)) != NULL, size);
        CHECK_AT(block->size == before, before);
    }
    CHECK_AT(malloc_usable_size(block) >= size, size);
    ((char *)block)[size - 1] = 1;
    ((char *)block)[(size - 1) / page * page] = 1;
    block->size = size;
    return block;
}

static void *work(void *seed) {
    uint64_t random = (uintptr_t)seed;
    for (int i = 0; i < rounds; i++) {
        struct block **slot = &slots[random_of(&random) % SLOTS];
        struct block *block = __atomic_exchange_n(slot, NULL, __ATOMIC_ACQ_REL);
        size_t any = 4 * MIB + 1 + random_of(&random) % (20 * MIB);
        if (block == NULL) {
            CHECK_AT((block = malloc(any)) != NULL, any);
            block->size = any;
        } else if (random_of(&random) % 4 == 0) {
            free(block);
            continue;
        }
        size_t step = 8 + random_of(&random) % 4096;
        block = resized(block, random_of(&random) % 3 == 0 ? any : block->size + step);
        block = __atomic_exchange_n(slot, block, __ATOMIC_ACQ_REL);
        free(block);
    }
    return NULL;
}

int main(int count, char **arguments) {
    slubmalloc_is_in_charge();
    CHECK(count == 2 && (rounds = atoi(arguments[1])) > 0);
    pthread_t other;
    CHECK(pthread_create(&other, NULL, work, (void *)7) == 0);
    work((void *)11);
    CHECK(pthread_join(other, NULL) == 0);
    for (int i = 0; i < SLOTS; i++) free(slots[i]);
    return done();
}
