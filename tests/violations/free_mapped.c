/* Frees a page of the program's own mmap: nobody's heap. */
#include "violation.h"
#include <sys/mman.h>

int main(void) {
    slubmalloc_is_in_charge();
    char *mine = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mine != MAP_FAILED);
    free(report_violation(mine + 4096));
    return got_away();
}
