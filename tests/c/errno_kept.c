/* single-threaded: also run on aarch64 under emulation. */
/* free leaves errno alone, whatever it has to do: programs free between a failure and its report. */
#include "check.h"

static void free_quietly(void *p, size_t size) {
    errno = 4242;
    free(p);
    CHECK_AT(errno == 4242, size);
}

int main(void) {
    slubmalloc_is_in_charge();
    free_quietly(NULL, 0);
    for (size_t size = 1; size <= 256 * MIB; size *= 2) {
        for (int i = 0; i < 3; i++) free_quietly(malloc(size), size);
        free_quietly(memalign(4096, size), size);
    }
    /* Enough of each to reach every slow way: flushes, empty slabs, purges, unmappings. */
    static const size_t sizes[] = {16, 100, 1024, 5000, 32768, 40000, 300000, 8 * MIB};
    static void *blocks[20000];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t count = 64 * MIB / sizes[s] < 20000 ? 64 * MIB / sizes[s] : 20000;
        for (size_t i = 0; i < count; i++) CHECK((blocks[i] = malloc(sizes[s])) != NULL);
        for (size_t i = 0; i < count; i++) free_quietly(blocks[i], sizes[s]);
    }
    return done();
}
