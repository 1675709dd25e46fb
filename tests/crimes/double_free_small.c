/* Frees a small object twice, then 10,000 honest ones: seen at the latest when the sheaves are flushed. argv[1]: size. */
#include "crime.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    settle(argument(argc, argv, 1));
    void *block = accuse(neighbours[0]);
    free(block);
    free(escape(block));
    neighbours[0] = NULL;
    flush();
    return got_away();
}
