/* single-threaded: also run on aarch64 under emulation. */
/* Sizes of zero and null pointers: glibc's answers, which sort, mandoc and others depend on. */
#include "check.h"

int main(void) {
    slubmalloc_is_in_charge();

    void *zeros[1000];
    for (size_t i = 0; i < 1000; i++) {
        zeros[i] = malloc(0);
        CHECK_AT(zeros[i] != NULL, i);
        for (size_t k = 0; k < i; k++) CHECK_AT(zeros[k] != zeros[i], i);
    }
    for (size_t i = 0; i < 1000; i++) free(zeros[i]);

    void *a = calloc(0, 8), *b = calloc(8, 0), *c = realloc(NULL, 0), *d = reallocarray(NULL, 0, 8);
    CHECK(a && b && c && d);
    CHECK(a != b && b != c && c != d && a != c && a != d && b != d);
    free(a), free(b), free(c), free(d);

    void *e = NULL;
    CHECK(posix_memalign(&e, 64, 0) == 0);
    free(e);
    free(aligned_alloc(64, 0));
    free(memalign(64, 0));

    free(NULL);
    CHECK(malloc_usable_size(NULL) == 0);

    char *fresh = realloc(NULL, 100);
    CHECK(fresh != NULL);
    paint(fresh, 100, 1);
    fresh = realloc(fresh, 200);
    CHECK(painted(fresh, 96, 1));
    free(fresh);

    /* realloc(p, 0) frees: 100,000 leaks of any of these would show. */
    static const size_t sizes[] = {1, 64, 5000, 40000, 300000, 6 * MIB};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t before = resident(), rounds = sizes[s] > MIB ? 1000 : 100000;
        for (size_t i = 0; i < rounds; i++) {
            char *p = malloc(sizes[s]);
            CHECK_AT(p != NULL, sizes[s]);
            p[0] = 1;
            CHECK_AT(realloc(p, 0) == NULL, sizes[s]);
        }
        CHECK_AT(reallocarray(malloc(sizes[s]), 0, 8) == NULL, sizes[s]);
        CHECK_AT(resident() < before + 16 * MIB, sizes[s]);
    }
    return done();
}
