/* single-threaded: also run on aarch64 under emulation. */
/* A bit of everything, for tests that look at what the library says. With "secure": must run under AT_SECURE. */
#include "check.h"
#include <sys/auxv.h>

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    if (argc > 1 && strcmp(argv[1], "secure") == 0 && getauxval(AT_SECURE) == 0) return 77;
    for (size_t size = 1; size < 20 * MIB; size *= 2) {
        void *p = malloc(size);
        CHECK(p != NULL);
        memset(p, 1, size);
        if (size % 3) free(p);
    }
    return done();
}
