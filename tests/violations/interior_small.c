/* Frees the inside of a small object. argv: size, offset. At the latest the flush of the sheaf must see it. */
#include "violation.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    size_t size = argument(argc, argv, 1), offset = argument(argc, argv, 2);
    settle(size);
    free(report_violation((char *)neighbours[NEIGHBOURS / 2] + offset));
    neighbours[NEIGHBOURS / 2] = NULL;
    flush();
    return got_away();
}
