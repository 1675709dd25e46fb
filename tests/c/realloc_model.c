/* single-threaded: also run on aarch64 under emulation. */
/* realloc keeps the contents across every change of regime, and under a random life. */
#include "check.h"

static void walk(const size_t *sizes, size_t count) {
    unsigned seed = 11;
    size_t held = sizes[0];
    char *p = malloc(held);
    paint(p, held, seed);
    for (size_t i = 1; i < count; i++) {
        size_t kept = (held < sizes[i] ? held : sizes[i]) & ~(size_t)7;
        p = realloc(p, sizes[i]);
        CHECK_AT(p != NULL && aligned_to(p, 16), sizes[i]);
        CHECK_AT(malloc_usable_size(p) >= sizes[i], sizes[i]);
        CHECK_AT(painted(p, kept, seed), sizes[i]);
        held = sizes[i];
        paint(p, held, ++seed);
    }
    free(p);
}

static void every_pair_of_regimes(void) {
    static const size_t marks[] = {1,      16,      24,      1000,        1024,        1025,    8000,     32760,    32768,    32769,
                                   40000,  65536,   300000,  MIB,         2 * MIB + 5, 4 * MIB, 4 * MIB + 1, 5 * MIB,  16 * MIB, 50 * MIB};
    enum { MARKS = sizeof marks / sizeof *marks };
    for (size_t a = 0; a < MARKS; a++)
        for (size_t b = 0; b < MARKS; b++) {
            if (marks[a] + marks[b] > 60 * MIB) continue;
            size_t path[] = {marks[a], marks[b], marks[a]};
            walk(path, 3);
        }
}

static void growing_by_a_little_each_time(void) {
    size_t held = 1;
    char *p = malloc(held);
    p[0] = 'a';
    while (held < 12 * MIB) {
        size_t more = held < 10000 ? held + 7 : held + held / 9;
        p = realloc(p, more);
        CHECK_AT(p != NULL && p[0] == 'a' && p[held - 1] == (held == 1 ? 'a' : 'z'), more);
        p[more - 1] = 'z';
        held = more;
    }
    free(p);
}

static void a_random_life(void) {
    enum { SLOTS = 300 };
    static char *blocks[SLOTS];
    static size_t held[SLOTS];
    uint64_t seed = 3;
    for (unsigned step = 0; step < 200000; step++) {
        size_t slot = random_of(&seed) % SLOTS;
        size_t bits = random_of(&seed) % (step % 500 == 0 ? 24 : 16);
        size_t size = 1 + random_of(&seed) % ((size_t)1 << (bits + 1));
        if (blocks[slot] == NULL) {
            CHECK_AT((blocks[slot] = malloc(size)) != NULL, step);
        } else if (random_of(&seed) % 3 == 0) {
            CHECK_AT(painted(blocks[slot], held[slot], slot), step);
            free(blocks[slot]);
            blocks[slot] = NULL;
            continue;
        } else {
            size_t kept = (held[slot] < size ? held[slot] : size) & ~(size_t)7;
            CHECK_AT(painted(blocks[slot], held[slot], slot), step);
            CHECK_AT((blocks[slot] = step % 2 ? realloc(blocks[slot], size) : reallocarray(blocks[slot], 1, size)) != NULL, step);
            CHECK_AT(painted(blocks[slot], kept, slot), step);
        }
        CHECK_AT(aligned_to(blocks[slot], 16), step);
        held[slot] = size;
        paint(blocks[slot], size, slot);
    }
    for (size_t slot = 0; slot < SLOTS; slot++) free(blocks[slot]);
}

int main(void) {
    slubmalloc_is_in_charge();
    every_pair_of_regimes();
    growing_by_a_little_each_time();
    a_random_life();
    return done();
}
