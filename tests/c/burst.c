/* A program of one thread frees 256 MiB and goes on with next to nothing, or with blocks of a single size: the memory is
 * gone, and no thread came. */
#include "back.h"

static size_t before;

static void full(void) {
    RESIDENT_AT_LEAST(before + 256 * MIB);
    CHECK_AT(threads() == 1, threads());
}

static void a_little_of_one_size(void) {
    static void *blocks[1000];
    for (int i = 0; i < 1000; i++) CHECK((blocks[i] = malloc(100)) != NULL);
    for (int i = 0; i < 1000; i++) free(blocks[i]);
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
        if (round == 2)
            a_little_work();
        else
            a_little_of_one_size();
        RESIDENT_AT_MOST(before + 8 * MIB);
        CHECK_AT(threads() == 1, threads());
    }
    end_burst(&kept);
    return done();
}
