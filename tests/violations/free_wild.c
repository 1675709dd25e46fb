/* Frees an address that no mapping holds. argv[1]: the address. */
#include "violation.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    free(malloc(100));
    free(report_violation((void *)argument(argc, argv, 1)));
    return got_away();
}
