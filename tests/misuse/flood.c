/*
 * Attempts on the allocator's own state; each ends with an honest program that must get its own memory.
 * argv: what, size, and for below_tables and first_over how many bytes.
 */
#include "misuse.h"
#include <sys/mman.h>

/* What an allocator with links, sizes or flags in freed memory might believe. */
static void poison(char *block, size_t size, int seed) {
    static const uint64_t lies[] = {0, ~0ull, 0x4141414141414141, 0x10, 0x7fffffffffff};
    uint64_t value = seed % 6 == 5 ? (uint64_t)(uintptr_t)&neighbours : lies[seed % 6];
    for (size_t i = 0; i + 8 <= size; i += 8) ((volatile uint64_t *)(void *)block)[i / 8] = value;
}

static void *scribbles(void *size) {
    for (int i = 0; i < neighbour_count; i++)
        if (neighbours[i] != NULL) poison(neighbours[i], (size_t)size, i);
    return NULL;
}

/*
 * The kernel maps from above downwards: with every gap above filled, the next huge block comes to lie right below
 * the reservation that the block is in, which begins with the allocator's own tables.
 */
static void fill_above(char *block) {
    for (size_t bytes = GIB; bytes >= MIB; bytes /= 2) {
        char *filler;
        while ((filler = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) > block)
            CHECK(filler != MAP_FAILED);
        CHECK(munmap(filler, bytes) == 0);
    }
}

/* All of them may be written, and any may be found first. */
static void blame_all(char *block, size_t size) {
    char *lowest = block, *highest = block;
    for (int i = 0; i < neighbour_count; i++) {
        char *neighbour = neighbours[i];
        if (neighbour != NULL && neighbour < lowest) lowest = neighbour;
        if (neighbour > highest) highest = neighbour;
    }
    blame(block, lowest, highest + size - lowest);
}

/*
 * One with another right after it, or before it. The kernel may place huge blocks in more than one of its gaps, so the
 * one in the middle may lie at an end of what is mapped; smaller ones lie in slabs and arenas.
 */
static char *one_beside_another(size_t size, int is_behind) {
    if (size <= 4 * MIB) return one_of_them();
    for (int i = 0; i < neighbour_count; i++)
        for (int j = 0; j < neighbour_count; j++) {
            char *lower = neighbours[is_behind ? i : j], *upper = neighbours[is_behind ? j : i];
            if (lower >= upper || upper > lower + size + MIB) continue;
            char *block = neighbours[i];
            neighbours[i] = NULL;
            return block;
        }
    CHECK(!"one beside another");
    return NULL;
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc > 2);
    const char *what = argv[1];
    size_t size = argument(argc, argv, 2);
    /* A flood must meet blocks on both sides, not the end of what is mapped. */
    for (int i = 0; i < 60; i++) CHECK(escape(malloc(60000)) != NULL);
    settle_around(is(what, "below_tables") ? 64 : size);
    int is_flood = is(what, "over") || is(what, "under");
    char *block = is_flood ? one_beside_another(size, is(what, "over")) : one_of_them();
    for (int i = 0; i < 60; i++) CHECK(escape(malloc(60000)) != NULL);
    if (is(what, "first_over")) {
        /* What the allocator mapped for itself, for the first block of this kind, lies right above that block. */
        block = neighbours[0];
        neighbours[0] = NULL;
        size_t length = argument(argc, argv, 3);
        blame(block, block + size, length);
        stage("misuse");
        scribble(block + size, length, 'x');
        stage("free");
        free(block);
    } else if (is(what, "last_under")) {
        block = neighbours[neighbour_count - 1];
        neighbours[neighbour_count - 1] = NULL;
        size_t length = argument(argc, argv, 3);
        blame(block, block - length, length);
        stage("misuse");
        for (char *at = block; at-- > block - length;) *(volatile char *)at = 'x';
        stage("free");
        free(block);
    } else if (is(what, "over")) {
        blame(block, block + size, MIB);
        stage("misuse");
        scribble(block + size, MIB, 'x');
        stage("free");
        free(block);
    } else if (is(what, "under")) {
        blame(block, block - MIB, MIB);
        stage("misuse");
        for (char *at = block; at-- > block - MIB;) *(volatile char *)at = 'x';
        stage("free");
        free(block);
    } else if (is(what, "below_tables")) {
        fill_above(block);
        char *below = malloc(size);
        CHECK(below != NULL && below < block);
        size_t length = argument(argc, argv, 3);
        blame(below, below + size, length);
        stage("misuse");
        scribble(below + size, length, 'x');
    } else if (is(what, "freed")) {
        for (int i = 0; i < neighbour_count; i++) free(neighbours[i]);
        free(block);
        blame_all(block, size);
        stage("misuse");
        poison(block, size, 1);
        scribbles((void *)size);
    } else if (is(what, "freed_in_turns")) {
        blame_all(block, size);
        /* What is kept for reuse is found by frees of later rounds, too. */
        for (int round = 0; round < 20; round++) {
            for (int i = 0; i < neighbour_count; i += 7) free(neighbours[i]);
            stage("misuse");
            for (int i = 0; i < neighbour_count; i += 7)
                if (neighbours[i] != NULL) poison(neighbours[i], size, i + round);
            stage("reuse");
            for (int i = 0; i < neighbour_count; i += 7) CHECK((neighbours[i] = malloc(size)) != NULL);
        }
    } else if (is(what, "freed_and_trimmed")) {
        for (int i = 0; i < neighbour_count; i++) free(neighbours[i]);
        free(block);
        malloc_trim(0);
        blame_all(block, size);
        stage("misuse");
        poison(block, size, 1);
        scribbles((void *)size);
    } else {
        CHECK(!"known");
    }
    go_on(size);
    return leave();
}
