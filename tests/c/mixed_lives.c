/* Bursts of blocks of 16 B to 2 MiB come and go, and one in some stays: prints the statistics of what is left. */
#include "check.h"

enum { STAYING = 60000, BURST = 40000, ROUNDS = 20 };
static void *staying[STAYING], *burst[BURST];
static uint64_t seed = 1;

static void *block_of(int mark) {
    unsigned is_large = random_of(&seed) % 200 == 0;
    size_t bytes = (size_t)1 << (is_large ? 16 + random_of(&seed) % 5 : 4 + random_of(&seed) % 10);
    bytes += random_of(&seed) % bytes;
    void *block = malloc(bytes);
    CHECK(block != NULL);
    memset(block, mark, bytes);
    return block;
}

int main(int count, char **arguments) {
    slubmalloc_is_in_charge();
    unsigned percent = count > 1 ? atoi(arguments[1]) : 2;
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < BURST; i++) {
            burst[i] = block_of(1);
            if (random_of(&seed) % 100 < percent) {
                size_t place = random_of(&seed) % STAYING;
                free(staying[place]);
                staying[place] = block_of(2);
            }
        }
        for (size_t i = 0; i < BURST; i++) free(burst[i]);
    }
    malloc_stats();
    return done();
}
