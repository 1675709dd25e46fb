/* A program of one thread frees 256 MiB and goes on with next to nothing: the memory is gone, and no thread came. */
#include "back.h"

static size_t before;

static void full(void) {
    RESIDENT_AT_LEAST(before + 256 * MIB);
    CHECK_AT(threads() == 1, threads());
}

int main(void) {
    slubmalloc_is_in_charge();
    struct burst kept = new_burst(MIB, 16, 64 * KIB, 1);
    grow_to(&kept, MIB);
    a_little_work();
    before = resident();
    for (uint64_t round = 2; round < 4; round++) {
        burst_of(256 * MIB, 16, 64 * KIB, round, full);
        CHECK_AT(threads() == 1, threads());
        rest(2000);
        a_little_work();
        RESIDENT_AT_MOST(before + 8 * MIB);
        CHECK_AT(threads() == 1, threads());
    }
    end_burst(&kept);
    return done();
}
