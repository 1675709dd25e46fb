/* single-threaded: also run on aarch64 under emulation. */
/* A sweep over sizes: each block 16-byte aligned, filled, verified, freed in random order. */
#include "check.h"

enum { MOST = 80000 };
static void *blocks[MOST];
static size_t held[MOST], count;

static void take(size_t size) {
    CHECK(count < MOST);
    void *p = malloc(size);
    CHECK_AT(p != NULL, size);
    CHECK_AT(aligned_to(p, 16), size);
    CHECK_AT(malloc_usable_size(p) >= size, size);
    paint(p, size, (unsigned)count);
    blocks[count] = p;
    held[count++] = size;
}

static void verify_and_free_in_random_order(void) {
    static size_t order[MOST];
    uint64_t seed = 5;
    for (size_t i = 0; i < count; i++) order[i] = i;
    for (size_t i = count; i > 1; i--) {
        size_t k = random_of(&seed) % i, swapped = order[k];
        order[k] = order[i - 1];
        order[i - 1] = swapped;
    }
    for (size_t i = 0; i < count; i++) {
        CHECK_AT(painted(blocks[order[i]], held[order[i]], (unsigned)order[i]), held[order[i]]);
        free(blocks[order[i]]);
    }
    count = 0;
}

int main(void) {
    slubmalloc_is_in_charge();
    for (size_t size = 0; size <= 4096; size++) take(size);
    verify_and_free_in_random_order();
    for (size_t start = 0; start < 7; start++) {
        for (size_t size = 4096 + start; size <= 70000; size += 61) take(size);
        verify_and_free_in_random_order();
    }
    for (size_t power = 16; power <= 256 * MIB; power *= 2) {
        for (size_t delta = 0; delta <= 17 && delta <= power; delta++) {
            if (power > 8 * MIB && delta != 0 && delta != 1 && delta != 16) continue;
            take(power - delta);
            if (power >= 64 * MIB) verify_and_free_in_random_order();
            take(power + delta);
            if (power >= 64 * MIB) verify_and_free_in_random_order();
        }
        verify_and_free_in_random_order();
    }
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 60000; i++) take(i % 512);
        verify_and_free_in_random_order();
    }
    return done();
}
