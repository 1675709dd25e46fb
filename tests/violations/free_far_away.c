/* Frees what lies argv[1] bytes after a real block: in the heap's range, perhaps, but never handed out. */
#include "violation.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    uintptr_t real = (uintptr_t)malloc(64);
    free(report_violation((void *)(real + argument(argc, argv, 1))));
    return got_away();
}
