/* Random replacement of 1,024 blocks whose sizes, 4 to 32,768, are as rare as their squares; every byte is written. argv:
 * rounds. */
#include "random.h"
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 1024, SIZES = 4096 };

int main(int count, char **words) {
    static void *blocks[BLOCKS];
    static size_t sizes[SIZES];
    long rounds = count > 1 ? atol(words[1]) : 20000000;
    for (int i = 0; i < SIZES; i++) {
        double share = (i + 0.5) / SIZES;
        sizes[i] = (size_t)(1 / (1 / 4.0 - share * (1 / 4.0 - 1 / 32768.0)));
    }
    for (long i = 0; i < rounds; i++) {
        uint32_t place = random_of(BLOCKS);
        size_t size = sizes[random_of(SIZES)];
        free(blocks[place]);
        if ((blocks[place] = malloc(size)) == NULL) abort();
        memset(blocks[place], (int)i, size);
    }
    return 0;
}
