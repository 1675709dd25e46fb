/* Twenty live buffers of 5 to 25 MB of zeroes, one replaced at a time; every page is written. argv: rounds. */
#include "random.h"
#include <stdlib.h>

enum { BUFFERS = 20, LEAST = 5000000, MORE = 20000000, PAGE = 4096 };

int main(int count, char **words) {
    static char *buffers[BUFFERS];
    long rounds = count > 1 ? atol(words[1]) : 400;
    for (long round = 0; round < rounds; round++) {
        char **buffer = &buffers[random_of(BUFFERS)];
        size_t bytes = LEAST + random_of(MORE);
        free(*buffer);
        if ((*buffer = calloc(1, bytes)) == NULL) abort();
        for (size_t at = 0; at < bytes; at += PAGE) (*buffer)[at]++;
    }
    return 0;
}
