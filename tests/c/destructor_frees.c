/* A library whose destructor runs after the allocator's, and frees and allocates there; with -DPROGRAM, the program. */
#include "check.h"

#ifdef PROGRAM
void library_keeps(void *block);

int main(void) {
    slubmalloc_is_in_charge();
    for (size_t size = 1; size < 8 * MIB; size = size * 5 + 3) library_keeps(memset(malloc(size), 1, size));
    return done();
}
#else
static void *kept[100];
static size_t count;

void library_keeps(void *block) { kept[count++] = block; }

__attribute__((destructor)) static void ends(void) {
    for (size_t i = 0; i < count; i++) {
        CHECK(*(char *)kept[i] == 1);
        free(kept[i]);
        free(memset(malloc(i * i * 1000), 2, i * i * 1000));
    }
    CHECK(write(2, "freed", 5) == 5);
}
#endif
