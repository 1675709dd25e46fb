/* single-threaded: also run on aarch64 under emulation. */
/* calloc's memory is zero, above all where it was used before. */
#include "check.h"

enum { BLOCKS = 400 };

static void dirty_then_calloc(size_t size, size_t count) {
    void *blocks[BLOCKS];
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < count; i++) {
            CHECK_AT((blocks[i] = malloc(size)) != NULL, size);
            memset(blocks[i], 0xa5, malloc_usable_size(blocks[i]));
        }
        for (size_t i = 0; i < count; i++) free(blocks[i]);
        for (size_t i = 0; i < count; i++) {
            blocks[i] = i % 2 ? calloc(1, size) : calloc(size, 1);
            CHECK_AT(blocks[i] != NULL && aligned_to(blocks[i], 16), size);
            CHECK_AT(all_zero(blocks[i], size), size);
            memset(blocks[i], 0x5a, size);
        }
        for (size_t i = 0; i < count; i++) free(blocks[i]);
    }
}

/* Huge blocks are used again for other lengths, whether all of them was written, some pages, or one. */
static void huge_lengths(void) {
    uint64_t seed = 3;
    static const size_t steps[] = {512, 300000, 3 * MIB};
    for (int i = 0; i < 24; i++) {
        size_t first = 4 * MIB + 1 + random_of(&seed) % (24 * MIB);
        size_t second = 4 * MIB + 1 + random_of(&seed) % (i % 6 ? 24 * MIB : 40 * MIB);
        /* With nothing kept the second is often the first one made longer. */
        if (i % 2) malloc_trim(0);
        volatile char *dirty = malloc(first);
        CHECK_AT(dirty != NULL, first);
        for (size_t at = i; at < first; at += steps[i % 3]) dirty[at] = 1;
        dirty[first - 1] = 1;
        free((void *)dirty);
        char *clean = calloc(1, second);
        CHECK_AT(clean != NULL && all_zero(clean, second), second);
        free(clean);
    }
}

int main(void) {
    slubmalloc_is_in_charge();
    huge_lengths();
    for (size_t size = 1; size <= 2048; size += 13) dirty_then_calloc(size, BLOCKS);
    for (size_t size = 2048; size <= 40000; size += 1999) dirty_then_calloc(size, 50);
    for (size_t size = 40000; size <= 8 * MIB; size = size * 3 / 2) dirty_then_calloc(size, 4);
    dirty_then_calloc(64 * MIB, 1);

    /* Spans change size between lives: a dirty neighbour may join a clean one. */
    uint64_t seed = 2;
    for (int i = 0; i < 20000; i++) {
        size_t first = 1 + random_of(&seed) % (i % 50 ? 100000 : 6 * MIB);
        size_t second = 1 + random_of(&seed) % (i % 50 ? 100000 : 6 * MIB);
        char *dirty = malloc(first);
        memset(dirty, 0xff, first);
        free(dirty);
        char *clean = calloc(second, 1);
        CHECK_AT(clean != NULL && all_zero(clean, second), second);
        memset(clean, 0xee, second);
        free(clean);
    }
    /* M_PERTURB paints malloc's memory, never calloc's. */
    mallopt(M_PERTURB, 0x77);
    for (size_t size = 1; size < 9 * MIB; size = size * 2 + 1) dirty_then_calloc(size, 2);
    return done();
}
