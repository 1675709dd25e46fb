/*
 * When freed memory stays, by the argument: "mallopt" for what M_TRIM_THRESHOLD and M_MMAP_THRESHOLD say, "never" and
 * "zero" for the two ends of purge_ms. A second one says how many bytes a block has at least.
 */
#include "back.h"

static size_t before, smallest;

/* 64 MiB of blocks up to 256 KiB, and as much in huge ones. */
static void come_and_go(void) {
    void *huge[6];
    for (int i = 0; i < 6; i++) {
        CHECK((huge[i] = malloc(10 * MIB)) != NULL);
        paint(huge[i], 10 * MIB, (unsigned)i);
    }
    burst_of(64 * MIB, smallest, 256 * KIB, 1, NULL);
    for (int i = 0; i < 6; i++) {
        CHECK_AT(painted(huge[i], 10 * MIB, (unsigned)i), i);
        free(huge[i]);
    }
}

/* Waits as the others do, and gives the heap its chances. */
static void two_seconds_of_little_work(void) {
    for (int i = 0; i < 8; i++) {
        rest(250);
        a_little_work();
    }
}

static void trim_threshold(void) {
    CHECK(mallopt(M_TRIM_THRESHOLD, -1) == 1);
    come_and_go();
    two_seconds_of_little_work();
    RESIDENT_AT_LEAST(before + 110 * MIB);
    CHECK(mallopt(M_TRIM_THRESHOLD, 0) == 1);
    /*
     * On a machine that does other things too it may take longer. What the little work uses stays at hand: up to 238
     * objects of each of two dozen sizes, which lie on as many pages of what came and went.
     */
    for (int i = 0; i < 5 && resident() > before + 8 * MIB; i++) two_seconds_of_little_work();
    RESIDENT_AT_MOST(before + 24 * MIB);
}

static void mmap_threshold(void) {
    size_t blocks = mallinfo2().hblks, bytes = mallinfo2().hblkhd;
    CHECK(mallopt(M_MMAP_THRESHOLD, 128 * KIB) == 1);
    void *less = malloc(127 * KIB);
    CHECK(less != NULL && mallinfo2().hblks == blocks);
    void *just = malloc(128 * KIB), *more = malloc(MIB);
    CHECK(just != NULL && more != NULL);
    CHECK_AT(mallinfo2().hblks == blocks + 2, mallinfo2().hblks);
    CHECK_AT(mallinfo2().hblkhd >= bytes + 128 * KIB + MIB, mallinfo2().hblkhd);
    paint(less, 127 * KIB, 1);
    paint(just, 128 * KIB, 2);
    paint(more, MIB, 3);
    CHECK((more = realloc(more, 2 * MIB)) != NULL && mallinfo2().hblks == blocks + 2);
    CHECK(painted(less, 127 * KIB, 1) && painted(just, 128 * KIB, 2) && painted(more, MIB, 3));
    free(less);
    free(just);
    free(more);
    CHECK_AT(mallinfo2().hblks == blocks, mallinfo2().hblks);
    CHECK_AT(mallinfo2().hblkhd == bytes, mallinfo2().hblkhd);
}

int main(int count, char **words) {
    slubmalloc_is_in_charge();
    CHECK(count == 3);
    smallest = strtoul(words[2], NULL, 10);
    struct burst kept = new_burst(MIB, 16, 64 * KIB, 2);
    grow_to(&kept, MIB);
    before = resident();
    if (strcmp(words[1], "mallopt") == 0) {
        trim_threshold();
        mmap_threshold();
    } else if (strcmp(words[1], "never") == 0) {
        come_and_go();
        two_seconds_of_little_work();
        RESIDENT_AT_LEAST(before + 110 * MIB);
        CHECK(malloc_trim(0) == 1);
        RESIDENT_AT_MOST(before + 8 * MIB);
    } else {
        CHECK(strcmp(words[1], "zero") == 0);
        for (int round = 0; round < 5; round++) {
            come_and_go();
            rest(10);
            a_little_work();
            RESIDENT_AT_MOST(before + 8 * MIB);
        }
    }
    is_whole(&kept);
    end_burst(&kept);
    return done();
}
