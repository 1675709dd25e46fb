/*
 * With thp:auto what is in use for long and has all its memory comes into huge pages, by the purge thread; what is used here
 * and there does not, and goes back as ever. "disabled": not where the process has said that it wants none. "sparse": nor ahead
 * of a program that does not write to most of what it takes.
 */
#include "mappings.h"
#include <sys/prctl.h>

enum { BYTES = 1000, OBJECTS = 64 * 1024 * 1024 / BYTES, KEPT = 64 };

static char *dense[OBJECTS], *sparse[OBJECTS];

static void fill(char **objects) {
    for (unsigned i = 0; i < OBJECTS; i++) {
        CHECK_AT((objects[i] = malloc(BYTES)) != NULL, i);
        paint(objects[i], BYTES, i);
    }
}

/* Leaves one object in KEPT. */
static void thin(char **objects) {
    for (unsigned i = 0; i < OBJECTS; i++) {
        CHECK_AT(painted(objects[i], BYTES, i), i);
        if (i % KEPT != 0) {
            free(objects[i]);
            objects[i] = NULL;
        }
    }
    malloc_trim(0);
}

/* 320 MiB of objects of two pages, of which one is written to; those beyond 128 MiB could have huge pages. */
static int take_sparse(void) {
    enum { TWO = 8000, COUNT = 320 * 1024 * 1024 / TWO };
    for (unsigned i = 0; i < COUNT; i++) {
        char *object = malloc(TWO);
        CHECK_AT(object != NULL, i);
        object[0] = 1;
        if (i % 512 == 0) CHECK_AT(!mapping_of(object).wants, i);
    }
    return huge_bytes() == 0 ? done() : 1;
}

int main(int count, char **words) {
    static char mode[64];
    slubmalloc_is_in_charge();
    CHECK(count == 2);
    int is_disabled = strcmp(words[1], "disabled") == 0;
    if (!may_have_huge_pages(mode, sizeof mode)) return 77;
    if (strcmp(words[1], "sparse") == 0) return take_sparse();
    if (is_disabled) CHECK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);

    fill(dense);
    fill(sparse);
    thin(sparse);
    size_t before = resident();
    int came = COMES(huge_bytes() >= 48 * MIB, is_disabled ? 4 : 60);
    say("%zu KiB in huge pages, %zu resident, %zu before\n", huge_bytes() / KIB, resident() / KIB, before / KIB);
    CHECK(came != is_disabled);
    if (is_disabled) return huge_bytes() == 0 ? done() : 1;
    RESIDENT_AT_MOST(before + before / 50);
    size_t refused = 0, looked = 0;
    for (unsigned i = 0; i < OBJECTS; i += 64 * KEPT, looked++) refused += mapping_of(sparse[i]).refuses != 0;
    say("%zu of %zu sparse objects want no huge page\n", refused, looked);
    CHECK_AT(refused >= looked - 1, refused);

    /* No huge page keeps what nobody needs. */
    thin(dense);
    RESIDENT_AT_MOST(before / 4);
    for (unsigned i = 0; i < OBJECTS; i += KEPT)
        CHECK_AT(painted(dense[i], BYTES, i) && painted(sparse[i], BYTES, i), i);
    return done();
}
