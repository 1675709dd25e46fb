/* Asks argv[1] times for more than there is, of every kind, and prints the statistics and malloc_info's. */
#include "check.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc == 2);
    int count = atoi(argv[1]);
    free(escape(malloc(100)));
    for (int i = 0; i < count; i++) {
        void *block = i % 3 == 0 ? malloc(GIB) : i % 3 == 1 ? calloc(1, GIB) : memalign(MIB, GIB);
        CHECK_AT(block == NULL && errno == ENOMEM, i);
    }
    /* What no process can have is nobody's refusal. */
    CHECK(escape(malloc(PTRDIFF_MAX)) == NULL);
    malloc_stats();
    CHECK(malloc_info(0, stdout) == 0 && fflush(stdout) == 0);
    return done();
}
