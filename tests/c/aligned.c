/* single-threaded: also run on aarch64 under emulation. */
/* Aligned entries: every power of two up to 64 MiB with many sizes, and the refusals. */
#include "check.h"

static const size_t sizes[] = {1,    8,     16,    17,    64,    100,     1000,    1024,    4000,    4096,       4097,
                               8192, 12345, 32767, 32768, 32769, 65536, 100000, 1 * MIB, 4 * MIB, 4 * MIB + 1, 9 * MIB};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void every_alignment_with(size_t align) {
    void *blocks[SIZES * 3];
    for (size_t i = 0; i < SIZES; i++) {
        void *p = NULL;
        CHECK_AT(posix_memalign(&p, align, sizes[i]) == 0, align);
        blocks[3 * i] = p;
        blocks[3 * i + 1] = aligned_alloc(align, sizes[i]);
        blocks[3 * i + 2] = memalign(align, sizes[i]);
        for (size_t k = 3 * i; k < 3 * i + 3; k++) {
            CHECK_AT(blocks[k] != NULL, align);
            CHECK_AT(aligned_to(blocks[k], align), align);
            CHECK_AT(aligned_to(blocks[k], 16), align);
            CHECK_AT(malloc_usable_size(blocks[k]) >= sizes[i], align);
            paint(blocks[k], sizes[i] < MIB ? sizes[i] : MIB, k);
            ((char *)blocks[k])[sizes[i] - 1] |= 0;
        }
    }
    for (size_t k = 0; k < 3 * SIZES; k++) {
        size_t size = sizes[k / 3] < MIB ? sizes[k / 3] : MIB;
        CHECK_AT(painted(blocks[k], size, k), align);
        if (k % 2) {
            /* realloc owes no alignment beyond 16, but the contents. */
            blocks[k] = realloc(blocks[k], size + 5000);
            CHECK_AT(blocks[k] != NULL && painted(blocks[k], size & ~7ul, k), align);
        }
        free(blocks[k]);
    }
}

static void bad_alignments_are_refused_quietly(void) {
    static const size_t bad[] = {0, 1, 2, 3, 4, 7, 12, 24, 48, 100, 4097, SIZE_MAX, SIZE_MAX - 1, PTRDIFF_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        void *untouched = (void *)0x5a5a;
        errno = 4242;
        CHECK_AT(posix_memalign(&untouched, bad[i], 64) == EINVAL, bad[i]);
        CHECK_AT(untouched == (void *)0x5a5a, bad[i]);
        CHECK_AT(errno == 4242, bad[i]);
    }
    /* glibc refuses since 2.38. */
    static const size_t not_powers[] = {3, 7, 12, 24, 48, 100, 4097};
    for (size_t i = 0; !libc_allowed() && i < sizeof not_powers / sizeof *not_powers; i++) {
        errno = 0;
        CHECK_AT(aligned_alloc(not_powers[i], 64) == NULL, not_powers[i]);
        CHECK_AT(errno == EINVAL, not_powers[i]);
    }
    /* memalign refuses only what no power of two reaches. */
    errno = 0;
    CHECK(memalign(SIZE_MAX / 2 + 2, 64) == NULL);
    CHECK(errno == EINVAL || errno == ENOMEM);
}

static void memalign_rounds_up_to_a_power_of_two(void) {
    static const size_t asked[] = {0, 1, 2, 3, 8, 17, 24, 33, 48, 65, 100, 1000, 4097, 5000, 100000};
    static const size_t given[] = {16, 16, 16, 16, 16, 32, 32, 64, 64, 128, 128, 1024, 8192, 8192, 131072};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        void *p = memalign(asked[i], 77);
        CHECK_AT(p != NULL && aligned_to(p, given[i]), asked[i]);
        free(p);
    }
}

static void size_may_be_below_the_alignment(void) {
    void *blocks[500];
    for (size_t i = 0; i < 500; i++) {
        CHECK_AT(posix_memalign(&blocks[i], 4096, 1 + i % 16) == 0, i);
        CHECK_AT(aligned_to(blocks[i], 4096), i);
        memset(blocks[i], (int)i, malloc_usable_size(blocks[i]));
    }
    for (size_t i = 0; i < 500; i++) free(blocks[i]);
}

static void page_entries(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    static const size_t some[] = {1, 100, 4095, 4096, 4097, 10000, 65536, 100000, 5 * MIB};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        void *v = valloc(some[i]), *w = pvalloc(some[i]);
        CHECK_AT(v != NULL && aligned_to(v, page) && malloc_usable_size(v) >= some[i], some[i]);
        CHECK_AT(w != NULL && aligned_to(w, page), some[i]);
        CHECK_AT(malloc_usable_size(w) >= (some[i] + page - 1) / page * page, some[i]);
        memset(w, 1, (some[i] + page - 1) / page * page);
        free(v), free(w);
    }
    free(valloc(0)), free(pvalloc(0));
}

int main(void) {
    slubmalloc_is_in_charge();
    for (size_t align = 8; align <= 64 * MIB; align *= 2) every_alignment_with(align);
    bad_alignments_are_refused_quietly();
    memalign_rounds_up_to_a_power_of_two();
    size_may_be_below_the_alignment();
    page_entries();
    return done();
}
