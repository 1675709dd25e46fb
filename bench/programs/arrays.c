/* Arrays of 25 to 1,600 small blocks, freed in order, and every second one half in reverse. argv: rounds. */
#include "random.h"
#include <stdlib.h>

enum { MOST = 1600 };

int main(int count, char **words) {
    static char *blocks[MOST];
    long rounds = count > 1 ? atol(words[1]) : 100000;
    for (long round = 0; round < rounds; round++) {
        int length = 25 << random_of(7);
        for (int i = 0; i < length; i++) {
            size_t size = 1 + random_of(random_of(100) < 90 ? 200 : 1000);
            if ((blocks[i] = malloc(size)) == NULL) abort();
            blocks[i][0] = (char)i;
            blocks[i][size - 1] = 1;
        }
        int in_order = round % 2 == 0 ? length : length / 2;
        for (int i = 0; i < in_order; i++) free(blocks[i]);
        for (int i = length - 1; i >= in_order; i--) free(blocks[i]);
    }
    return 0;
}
