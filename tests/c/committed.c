/* single-threaded: also run on aarch64 under emulation. */
/*
 * Strict overcommit charges whatever is accountable, touched or not. Prints this process's charge in
 * KiB: the sum of the mappings that the kernel flags "ac"; and works, in all size regimes.
 */
#include "check.h"

int main(void) {
    slubmalloc_is_in_charge();
    for (size_t size = 1; size < 64 * MIB; size *= 2) {
        char *p = malloc(size);
        CHECK_AT(p != NULL, size);
        memset(p, 1, size);
        free(p);
    }
    malloc_trim(0);
    FILE *maps = fopen("/proc/self/smaps", "r");
    CHECK(maps != NULL);
    char line[4096];
    size_t size = 0, charged = 0;
    while (fgets(line, sizeof line, maps)) {
        if (strncmp(line, "Size:", 5) == 0) size = strtoul(line + 5, NULL, 10);
        if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " ac")) charged += size;
    }
    fclose(maps);
    dprintf(1, "%zu\n", charged);
    return done();
}
