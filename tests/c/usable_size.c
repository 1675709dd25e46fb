/* single-threaded: also run on aarch64 under emulation. */
/* malloc_usable_size: no less than asked, constant for a block's life, every byte the caller's. */
#include "check.h"

enum { BLOCKS = 4000 };
static unsigned char *blocks[BLOCKS];
static size_t usable[BLOCKS];

int main(void) {
    slubmalloc_is_in_charge();
    CHECK(malloc_usable_size(NULL) == 0);
    uint64_t seed = 1;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            size_t bits = random_of(&seed) % (i % 100 == 0 ? 23 : 14);
            size_t size = random_of(&seed) % ((size_t)1 << (bits + 1));
            blocks[i] = i % 7 ? malloc(size) : memalign((size_t)16 << i % 9, size);
            CHECK_AT(blocks[i] != NULL, size);
            usable[i] = malloc_usable_size(blocks[i]);
            CHECK_AT(usable[i] >= size, size);
            paint(blocks[i], usable[i], i);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            CHECK_AT(malloc_usable_size(blocks[i]) == usable[i], i);
            CHECK_AT(painted(blocks[i], usable[i], i), i);
            /* Growing within the usable size never moves bytes out of reach. */
            if (i % 3 == 0) {
                blocks[i] = realloc(blocks[i], usable[i] + !usable[i]);
                CHECK_AT(painted(blocks[i], usable[i], i), i);
            }
            free(blocks[i]);
        }
    }
    return done();
}
