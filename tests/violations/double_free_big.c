/* Frees a large or huge object twice. argv[1]: the size. */
#include "violation.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    void *block = malloc(argument(argc, argv, 1)), *neighbour = malloc(argument(argc, argv, 1));
    CHECK(block != NULL && neighbour != NULL);
    report_violation(block);
    free(block);
    free(escape(block));
    return got_away();
}
