/* single-threaded: also run on aarch64 under emulation. */
/* mallinfo2 tells the truth about this heap, not about another one that nobody uses. */
#include "check.h"

enum { BLOCKS = 10000 };
static void *blocks[BLOCKS];

static void adds_up(struct mallinfo2 info) {
    CHECK(info.uordblks + info.fordblks == info.arena);
}

static int about(size_t measured, size_t expected) {
    return measured >= expected - expected / 4 && measured <= expected + expected / 4;
}

static void blocks_are_counted(size_t smallest, size_t spread) {
    struct mallinfo2 before = mallinfo2();
    size_t total = 0;
    uint64_t seed = 4;
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = smallest + random_of(&seed) % spread;
        CHECK((blocks[i] = malloc(size)) != NULL);
        total += malloc_usable_size(blocks[i]);
    }
    struct mallinfo2 full = mallinfo2();
    adds_up(before);
    adds_up(full);
    CHECK_AT(about(full.uordblks - before.uordblks, total), full.uordblks - before.uordblks);

    for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
    struct mallinfo2 after = mallinfo2();
    adds_up(after);
    CHECK_AT(after.uordblks < before.uordblks + total / 4, after.uordblks);
    CHECK(after.uordblks + total / 4 > before.uordblks);
}

static void huge_ones_are_counted_apart(void) {
    struct mallinfo2 before = mallinfo2();
    void *huge[3];
    for (int i = 0; i < 3; i++) CHECK((huge[i] = malloc(64 * MIB)) != NULL);
    struct mallinfo2 full = mallinfo2();
    adds_up(full);
    CHECK_AT(full.hblks == before.hblks + 3, full.hblks);
    CHECK_AT(full.hblkhd >= before.hblkhd + 192 * MIB && full.hblkhd < before.hblkhd + 200 * MIB, full.hblkhd);
    for (int i = 0; i < 3; i++) free(huge[i]);
    struct mallinfo2 after = mallinfo2();
    CHECK_AT(after.hblks == before.hblks, after.hblks);
    CHECK_AT(after.hblkhd == before.hblkhd, after.hblkhd);
}

static void the_old_one_agrees(void) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    struct mallinfo old = mallinfo();
#pragma GCC diagnostic pop
    struct mallinfo2 new = mallinfo2();
    CHECK(about((size_t)old.arena, new.arena));
    CHECK(about((size_t)old.uordblks, new.uordblks));
    CHECK(old.hblks == (int)new.hblks);
    if (libc_allowed()) return;
    /* Its fields are ints: they stop at INT_MAX rather than wrap. */
    void *huge = malloc(3 * GIB);
    if (huge == NULL) return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    old = mallinfo();
#pragma GCC diagnostic pop
    CHECK(old.hblkhd == INT32_MAX);
    free(huge);
}

int main(void) {
    slubmalloc_is_in_charge();
    blocks_are_counted(16, 2000);
    blocks_are_counted(16, 2000);
    blocks_are_counted(2000, 10000);
    huge_ones_are_counted_apart();
    the_old_one_agrees();
    return done();
}
