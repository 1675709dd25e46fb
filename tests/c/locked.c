/* mlockall makes every page that is mapped read-write resident: prints VmRSS in KiB for a small program. */
#include "check.h"
#include <sys/mman.h>

int main(void) {
    slubmalloc_is_in_charge();
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) return 77;
    static void *blocks[2000];
    for (size_t i = 0; i < 2000; i++) CHECK((blocks[i] = malloc(1 + i % 2000)) != NULL);
    for (size_t i = 0; i < 2000; i++) free(blocks[i]);
    CHECK((blocks[0] = malloc(100000)) != NULL);
    dprintf(1, "%zu\n", proc_number("/proc/self/status", "VmRSS:"));
    return done();
}
