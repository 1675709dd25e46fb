/* Of 128 MiB of small objects one in a hundred stays: the pages between them go back, and come again when needed. */
#include "back.h"

int main(void) {
    slubmalloc_is_in_charge();
    struct burst burst = new_burst(128 * MIB, 64, 512, 1);
    grow_to(&burst, 128 * MIB);
    size_t full = resident();
    CHECK_AT(full > 128 * MIB, full / KIB);
    for (int round = 0; round < 2; round++) {
        shrink_to(&burst, burst.count / 100);
        rest(2000);
        a_little_work();
        RESIDENT_AT_MOST(full / 10 * 6);
        is_whole(&burst);
        grow_to(&burst, 128 * MIB);
        is_whole(&burst);
        RESIDENT_AT_MOST(full + 16 * MIB);
    }
    end_burst(&burst);
    return done();
}
