/*
 * Memory that changes hands when realloc leaves a block where it is, or moves its pages. argv[1] says what must hold:
 *
 *     free     what a block gives up holds zeroes from then on
 *     alloc    what a block gets holds zeroes, as all fresh memory does
 *     rest     what a block gives up is in no other block for a while
 *     move     a block that changes its size is another block, as the old one is debugged
 */
#include "check.h"

static int memory;

/* The first byte of a range that is not zero, read by the kernel, as it may not be mapped any more; 0 for none. */
static uintptr_t first_secret(uintptr_t start, uintptr_t end) {
    static unsigned char bytes[1 << 16];
    for (uintptr_t at = start; at < end;) {
        size_t length = sizeof bytes - at % 4096;
        if (length > end - at) length = end - at;
        ssize_t count = pread(memory, bytes, length, (off_t)at);
        for (ssize_t i = 0; i < count; i++)
            if (bytes[i] != 0) return at + (uintptr_t)i;
        at += count > 0 ? (size_t)count : 4096 - at % 4096;
    }
    return 0;
}

static int holds_only(const unsigned char *block, size_t from, size_t to, int byte) {
    for (size_t i = from; i < to; i++)
        if (block[i] != byte) return 0;
    return 1;
}

/* Below 32 KiB, up to 4 MiB, and above: to within the block's class, to a shorter span, to half and below. */
static const size_t shrinks[][2] = {
    {64, 57},          {64, 40},           {1000, 600},      {30000, 16000},     {1000, 16},
    {200 << 10, 104 << 10}, {200 << 10, 100001}, {3 << 20, 2 << 20}, {4 << 20, 40 << 10}, {40 << 10, 20000},
    {16 << 20, 9 << 20},    {16 << 20, (15 << 20) + 5}, {9 << 20, 5 << 20}, {9 << 20, 3 << 20},
};
enum { SHRINKS = sizeof shrinks / sizeof *shrinks };

static void gives_up(void) {
    for (size_t i = 0; i < SHRINKS; i++) {
        size_t from = shrinks[i][0], to = shrinks[i][1];
        unsigned char *block = malloc(from);
        CHECK(block != NULL);
        uintptr_t start = (uintptr_t)block;
        memset(block, 'S', from);
        unsigned char *shorter = realloc(block, to);
        CHECK_AT(shorter != NULL && holds_only(shorter, 0, to, 'S'), i);
        CHECK_AT(all_zero(shorter + to, malloc_usable_size(shorter) - to), i);
        if ((uintptr_t)shorter == start) CHECK_AT(first_secret(start + to, start + from) == 0, i);
        else CHECK_AT(first_secret(start, start + from) == 0, i);
        free(shorter);
        CHECK_AT(first_secret((uintptr_t)shorter, (uintptr_t)shorter + to) == 0, i);
    }
}

static void gets(void) {
    for (size_t i = 0; i < SHRINKS; i++) {
        size_t more = shrinks[i][0], less = shrinks[i][1];
        /* Its own old content, where it was longer before. */
        unsigned char *block = malloc(more);
        CHECK_AT(block != NULL && all_zero(block, malloc_usable_size(block)), i);
        memset(block, 'S', more);
        block = realloc(block, less);
        block = realloc(block, more);
        CHECK_AT(block != NULL && holds_only(block, 0, less, 'S'), i);
        CHECK_AT(all_zero(block + less, malloc_usable_size(block) - less), i);
        free(block);
        /* Somebody else's, where the neighbour was freed. */
        unsigned char *pair[2] = {malloc(less), malloc(less)};
        memset(pair[0], 'S', less);
        memset(pair[1], 'T', less);
        int low = pair[1] < pair[0];
        free(pair[!low]);
        block = realloc(pair[low], more);
        CHECK_AT(block != NULL && holds_only(block, 0, less, low ? 'T' : 'S'), i);
        CHECK_AT(all_zero(block + less, malloc_usable_size(block) - less), i);
        free(block);
        /* An alignment of its own. */
        block = memalign(1 << 12, less);
        CHECK_AT(block != NULL && all_zero(block, malloc_usable_size(block)), i);
        memset(block, 'U', malloc_usable_size(block));
        free(block);
    }
}

static void rests(void) {
    for (size_t i = 0; i < SHRINKS; i++) {
        size_t from = shrinks[i][0], to = shrinks[i][1];
        unsigned char *block = malloc(from);
        uintptr_t start = (uintptr_t)block, end = start + malloc_usable_size(block);
        memset(block, 'S', from);
        unsigned char *shorter = realloc(block, to);
        CHECK_AT(shorter != NULL && holds_only(shorter, 0, to, 'S'), i);
        uintptr_t kept = (uintptr_t)shorter, kept_end = kept + malloc_usable_size(shorter);
        for (size_t size = 16; size <= from; size = size * 2 < from ? size * 2 : size + from) {
            unsigned char *other = malloc(size);
            uintptr_t at = (uintptr_t)other, at_end = at + malloc_usable_size(other);
            CHECK_AT(at_end <= start || end <= at, i);
            CHECK_AT(at_end <= kept || kept_end <= at, i);
            free(other);
        }
        free(shorter);
    }
}

static void moves(void) {
    for (size_t i = 0; i < SHRINKS; i++) {
        size_t from = shrinks[i][0], to = shrinks[i][1];
        /* What is too large to be guarded is moved when it becomes shorter than that. */
        for (int grows = 0; grows < 2; grows++) {
            unsigned char *block = malloc(grows ? to : from);
            uintptr_t start = (uintptr_t)block;
            unsigned char *other = realloc(block, grows ? from : to);
            CHECK_AT(other != NULL && ((uintptr_t)other != start || to > 4 * MIB - 4096), i);
            free(other);
        }
    }
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    CHECK(argc == 2 && memory >= 0);
    switch (argv[1][0]) {
        case 'f': gives_up(); break;
        case 'a': gets(); break;
        case 'r': rests(); break;
        case 'm': moves(); break;
    }
    return done();
}
