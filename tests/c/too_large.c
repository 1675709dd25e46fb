/* single-threaded: also run on aarch64 under emulation. */
/* Requests that cannot be: NULL and ENOMEM from each entry, and the old block stays whole. */
#include "check.h"

#define REFUSED(expression)                 \
    do {                                    \
        errno = 0;                          \
        void *refused = (expression);       \
        CHECK_AT(refused == NULL, size);    \
        CHECK_AT(errno == ENOMEM, size);    \
    } while (0)

static void no_entry_grants(size_t size) {
    REFUSED(malloc(size));
    REFUSED(calloc(1, size));
    REFUSED(calloc(size, 1));
    REFUSED(realloc(NULL, size));
    REFUSED(reallocarray(NULL, size, 1));
    REFUSED(memalign(16, size));
    REFUSED(memalign(64, size));
    REFUSED(memalign(1 * MIB, size));
    REFUSED(aligned_alloc(64, size));
    REFUSED(valloc(size));
    REFUSED(pvalloc(size));

    void *untouched = (void *)0x5a5a;
    static const size_t alignments[] = {8, 64, 1 * MIB};
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
        errno = 4242;
        CHECK_AT(posix_memalign(&untouched, alignments[i], size) == ENOMEM, size);
        CHECK_AT(untouched == (void *)0x5a5a, size);
        /* As in every other allocator, against glibc's own manual page: programs print it. */
        CHECK_AT(errno == ENOMEM, size);
    }

    static const size_t old_sizes[] = {1, 100, 5000, 100000, 8 * MIB};
    for (size_t i = 0; i < sizeof old_sizes / sizeof *old_sizes; i++) {
        char *old = malloc(old_sizes[i]);
        CHECK(old != NULL);
        paint(old, old_sizes[i], 7);
        REFUSED(realloc(old, size));
        REFUSED(reallocarray(old, size, 1));
        CHECK_AT(painted(old, old_sizes[i], 7), size);
        free(old);
    }
}

static void products_that_overflow_are_refused(void) {
    size_t size = 0;
    char *old = malloc(1000);
    paint(old, 1000, 3);
    static const size_t factors[][2] = {
        {SIZE_MAX, 2}, {2, SIZE_MAX}, {SIZE_MAX, SIZE_MAX}, {SIZE_MAX / 2 + 1, 2}, {(size_t)1 << 32, (size_t)1 << 32},
        {SIZE_MAX / 16 + 1, 16}, {16, SIZE_MAX / 16 + 2}, {((size_t)1 << 63) + 8, 2},
    };
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        size = i;
        REFUSED(calloc(factors[i][0], factors[i][1]));
        REFUSED(reallocarray(NULL, factors[i][0], factors[i][1]));
        REFUSED(reallocarray(old, factors[i][0], factors[i][1]));
    }
    CHECK(painted(old, 1000, 3));
    free(old);
}

int main(void) {
    slubmalloc_is_in_charge();
    static const size_t below_the_top[] = {0, 1, 15, 16, 4095, 4096, 65535, 65536, 4 * MIB, GIB};
    for (size_t i = 0; i < sizeof below_the_top / sizeof *below_the_top; i++) {
        no_entry_grants(SIZE_MAX - below_the_top[i]);
        no_entry_grants((size_t)PTRDIFF_MAX + 1 + below_the_top[i]);
    }
    /* No machine has this much address space, though a ptrdiff_t could count it. */
    no_entry_grants(PTRDIFF_MAX);
    no_entry_grants(PTRDIFF_MAX - 4096);
    no_entry_grants((size_t)1 << 60);
    no_entry_grants((size_t)1 << 48);
    products_that_overflow_are_refused();

    void *still_works = malloc(100);
    CHECK(still_works != NULL);
    free(still_works);
    return done();
}
