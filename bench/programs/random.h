/* Random numbers that are the same in each run. */
#include <stdint.h>

static uint64_t state = 88172645463325252;

static uint32_t random_of(uint32_t limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16) % limit;
}
