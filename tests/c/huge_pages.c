/*
 * Which of the heap's mappings the kernel may put into huge pages, by the argument: "never", "always" for those above
 * 32 MiB, "auto" for those with small objects above 128 MiB, or "system". A small program gets none in any case.
 */
#include "mappings.h"

/* 100 MiB of 64 KiB each, of which one in STEP is looked at. */
enum { BLOCKS = 100 * 1024 / 64, STEP = 8 };

/*
 * 256 MiB of small objects, of which one in STEP * 256 is looked at: most of those above the first 128 MiB want huge pages, but
 * for one pageblock in eight and those before the first of these that is filled.
 */
static void fill_with_small(size_t first) {
    size_t wanted = 0, refused = 0;
    char *all = NULL;
    for (size_t i = 0, bytes = 1000; i < 256 * MIB / bytes; i++) {
        char *object = malloc(bytes);
        CHECK(object != NULL);
        memset(object, 1, bytes);
        memcpy(object, &all, sizeof all);
        all = object;
        if (i % (STEP * 256) != 0) continue;
        struct mapping mapping = mapping_of(object);
        CHECK_AT(mapping.wants != mapping.refuses, i);
        /* The very first object lies in the arena's first 4 MiB. */
        if ((size_t)object < first + 124 * MIB) CHECK_AT(mapping.refuses, i);
        *(mapping.wants ? &wanted : &refused) += STEP * 256 * bytes;
    }
    say("huge pages are wanted for %zu MiB of small objects, not for %zu\n", wanted / MIB, refused / MIB);
    CHECK_AT(wanted >= 150 * MIB, wanted);

    /* What comes in their place may be touched here and there. */
    while (all != NULL) {
        char *next;
        memcpy(&next, all, sizeof next);
        free(all);
        all = next;
    }
    malloc_trim(0);
    for (int i = 0; i < 300; i++) {
        char *large = malloc(MIB);
        CHECK(large != NULL);
        large[0] = 1;
        CHECK_AT(mapping_of(large).refuses, i);
    }
}

static void *written(size_t size) {
    void *block = malloc(size);
    CHECK_AT(block != NULL, size);
    paint(block, size, (unsigned)size);
    return block;
}

int main(int count, char **words) {
    static char mode[64];
    slubmalloc_is_in_charge();
    CHECK(count == 2);
    int is_auto = strcmp(words[1], "auto") == 0;
    int is_never = is_auto || strcmp(words[1], "never") == 0, is_always = strcmp(words[1], "always") == 0;
    if (!may_have_huge_pages(mode, sizeof mode) && mode[0] == 0) return 77;
    int kernels_choice = strstr(mode, "[always]") != NULL;

    void *small = written(100), *large = written(200 * KIB);
    size_t in_huge_pages = huge_bytes();
    say("%zu KiB in huge pages\n", in_huge_pages / KIB);
    CHECK_AT(libc_allowed() || kernels_choice || in_huge_pages == 0, in_huge_pages);
    if (libc_allowed()) return done();

    void *huge = written(24 * MIB);
    static void *blocks[BLOCKS];
    size_t lowest = SIZE_MAX, wanted = 0;
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = written(64 * KIB);
        if ((size_t)blocks[i] < lowest) lowest = (size_t)blocks[i];
    }
    void *ours[] = {small, large, huge, (void *)lowest};
    for (int i = 0; i < 4; i++) {
        struct mapping mapping = mapping_of(ours[i]);
        CHECK_AT(mapping.refuses == (is_never && !(is_auto && ours[i] == huge)), i);
        CHECK_AT(mapping.wants == (is_always && ours[i] == huge), i);
    }
    for (int i = 0; i < BLOCKS; i += STEP) {
        struct mapping mapping = mapping_of(blocks[i]);
        CHECK_AT(mapping.refuses == is_never, i);
        wanted += mapping.wants ? STEP * 64 * KIB : 0;
        /* Nothing else is in the arena. */
        if ((size_t)blocks[i] >= lowest + 32 * MIB) CHECK_AT(mapping.wants == is_always, i);
    }
    say("huge pages are wanted for %zu of %zu MiB\n", wanted / MIB, (size_t)100);
    CHECK_AT(is_always ? wanted >= 66 * MIB && wanted <= 70 * MIB : wanted == 0, wanted);

    if (is_auto) fill_with_small((size_t)small);
    for (int i = 0; i < BLOCKS; i++) CHECK_AT(painted(blocks[i], 64 * KIB, 64 * KIB), i);
    CHECK(painted(small, 100, 100) && painted(large, 200 * KIB, 200 * KIB) && painted(huge, 24 * MIB, 24 * MIB));
    return done();
}
