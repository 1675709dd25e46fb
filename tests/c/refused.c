/* single-threaded: also run on aarch64 under emulation. */
/* A request that cannot be met costs the program nothing of what it has warm, and little time. */
#include "check.h"

enum { BLOCKS = 100000 };
static void *blocks[BLOCKS];

int main(void) {
    slubmalloc_is_in_charge();
    for (int i = 0; i < BLOCKS; i++) CHECK(memset(blocks[i] = malloc(1000), 1, 1000) != NULL);
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 1000; i++) {
        CHECK(malloc((size_t)PTRDIFF_MAX - 100000) == NULL && errno == ENOMEM);
        CHECK(malloc(SIZE_MAX / 2 + 5) == NULL && errno == ENOMEM);
    }
    struct mallinfo2 after = mallinfo2();
    CHECK_AT(libc_allowed() || after.keepcost == before.keepcost, after.keepcost);
    CHECK(after.fsmblks == before.fsmblks);
    return done();
}
