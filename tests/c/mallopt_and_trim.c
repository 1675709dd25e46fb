/* mallopt answers as mallopt(3) says; malloc_trim gives freed memory back. */
#include "check.h"

int main(void) {
    slubmalloc_is_in_charge();
    CHECK(mallopt(M_MXFAST, 64) == 1);
    CHECK(mallopt(M_MXFAST, 0) == 1);
    CHECK(mallopt(M_MXFAST, 100000) == 0);
    CHECK(mallopt(M_TRIM_THRESHOLD, 128 * 1024) == 1);
    CHECK(mallopt(M_TOP_PAD, 0) == 1);
    CHECK(mallopt(M_MMAP_THRESHOLD, 128 * 1024) == 1);
    CHECK(mallopt(M_MMAP_MAX, 65536) == 1);
    CHECK(mallopt(M_CHECK_ACTION, 3) == 1);
    CHECK(mallopt(M_ARENA_TEST, 8) == 1);
    CHECK(mallopt(M_ARENA_MAX, 1) == 1);
    CHECK(mallopt(M_PERTURB, 0x3c) == 1);
    CHECK(mallopt(M_PERTURB, 0) == 1);

    int nothing = malloc_trim(0);
    CHECK(nothing == 0 || nothing == 1);
    int padded = malloc_trim(16 * MIB);
    CHECK(padded == 0 || padded == 1);

    /* Small and large: 64 MiB each, all freed, and the pages are gone. */
    static const size_t sizes[] = {1000, 100000};
    for (size_t s = 0; s < 2; s++) {
        size_t count = 64 * MIB / sizes[s], before = resident();
        void **blocks = malloc(count * sizeof *blocks);
        for (size_t i = 0; i < count; i++) blocks[i] = memset(malloc(sizes[s]), 1, sizes[s]);
        size_t full = resident();
        CHECK(full > before + 56 * MIB);
        for (size_t i = 0; i < count; i++) free(blocks[i]);
        free(blocks);
        int trimmed = malloc_trim(0);
        CHECK(trimmed == 0 || trimmed == 1);
        CHECK_AT(resident() < before + 8 * MIB, resident() / KIB);
    }
    return done();
}
