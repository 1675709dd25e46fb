/* Frees a small object twice in a row: seen at once. argv[1]: size. */
#include "violation.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    settle(argument(argc, argv, 1));
    void *block = report_violation(neighbours[0]);
    free(block);
    free(escape(block));
    return got_away();
}
