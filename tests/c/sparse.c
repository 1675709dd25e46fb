/*
 * With thp:auto, huge pages come ahead of a program that uses all of its small objects' memory. "sparse": not ahead of one that
 * does not write to most of what it takes. "thinned": and they are wanted no more where only a few objects are left, so that the
 * kernel does not make them of those.
 */
#include "mappings.h"

enum { COUNT = 384 * 1024 * 1024 / 1000, KEPT = 512 };

static char *objects[COUNT];

/* Looks at one object in STEP beyond the first 128 MiB; how many want huge pages. */
static unsigned wanting(unsigned step, unsigned *looked) {
    unsigned wanted = 0;
    *looked = 0;
    for (unsigned i = 0; i < COUNT; i += step) {
        if (objects[i] == NULL) continue;
        wanted += (unsigned)mapping_of(objects[i]).wants;
        ++*looked;
    }
    return wanted;
}

/* Objects of two pages, of which one is written to. */
static int take_sparse(void) {
    for (unsigned i = 0; i < COUNT / 8; i++) {
        CHECK_AT((objects[i] = malloc(8000)) != NULL, i);
        objects[i][0] = 1;
    }
    unsigned looked, wanted = wanting(512, &looked);
    say("%u of %u sparse objects want huge pages\n", wanted, looked);
    CHECK_AT(wanted == 0, wanted);
    return done();
}

static int take_and_thin(void) {
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK_AT((objects[i] = malloc(1000)) != NULL, i);
        paint(objects[i], 1000, i);
    }
    unsigned looked, wanted = wanting(KEPT * 8, &looked);
    say("%u of %u objects want huge pages\n", wanted, looked);
    CHECK_AT(wanted > looked / 3, wanted);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK_AT(painted(objects[i], 1000, i), i);
        if (i % KEPT == 0) continue;
        free(objects[i]);
        objects[i] = NULL;
    }
    malloc_trim(0);
    int came = COMES(wanting(KEPT * 8, &looked) <= looked / 16, 30);
    say("%u of %u that are left want huge pages\n", wanting(KEPT * 8, &looked), looked);
    CHECK(came);
    RESIDENT_AT_MOST(64 * MIB);
    for (unsigned i = 0; i < COUNT; i += KEPT) CHECK_AT(painted(objects[i], 1000, i), i);
    return done();
}

int main(int count, char **words) {
    static char mode[64];
    slubmalloc_is_in_charge();
    CHECK(count == 2);
    if (!may_have_huge_pages(mode, sizeof mode) && mode[0] == 0) return 77;
    if (sysconf(_SC_PAGESIZE) != 4096) return 77;
    return strcmp(words[1], "sparse") == 0 ? take_sparse() : take_and_thin();
}
