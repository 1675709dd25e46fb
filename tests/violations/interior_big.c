/* Frees the inside of a large or huge object. argv: size, offset. */
#include "violation.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    char *block = malloc(argument(argc, argv, 1));
    CHECK(block != NULL);
    free(report_violation(block + argument(argc, argv, 2)));
    return got_away();
}
