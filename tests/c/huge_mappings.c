/* Whatever is done with many huge blocks, a process keeps half of the mappings that the kernel allows, and can start threads. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "check.h"

enum { BLOCKS = 139000, MOST = 32768 };

static char *blocks[BLOCKS];

static void count(const char *when)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int mappings = 0, c;
    while ((c = getc_unlocked(maps)) != EOF)
        mappings += c == '\n';
    fclose(maps);
    printf("%s: %d mappings\n", when, mappings);
    CHECK(mappings <= MOST);
}

static void *nothing(void *argument) { return argument; }

static unsigned pick(unsigned limit)
{
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 20) % limit;
}

static char *mark(void *block, int index)
{
    CHECK(block != NULL);
    *(int *)block = index;
    return block;
}

static void give(int index)
{
    CHECK(*(int *)blocks[index] == index);
    free(blocks[index]);
    blocks[index] = NULL;
}

static void take_all(int blocks_wanted, size_t bytes)
{
    for (int i = 0; i < blocks_wanted; i++)
        blocks[i] = mark(malloc(bytes), i);
}

static void every_other(int many)
{
    take_all(many, 5 * MIB);
    for (int i = 0; i < many; i += 2)
        give(i);
    count("every other freed");
    /* Other lengths, which fit no gap. */
    for (int i = 0; i < many; i += 2)
        blocks[i] = mark(malloc((5 + i % 3) * MIB), i);
}

static void at_random(int many)
{
    for (int step = 0; step < 3 * many; step++) {
        int i = pick(many);
        if (blocks[i])
            give(i);
        else
            blocks[i] = mark(malloc((5 + pick(12)) * MIB), i);
    }
}

static void growing(int many)
{
    take_all(many, 5 * MIB);
    for (int i = 0; i < many; i++)
        blocks[i] = mark(realloc(blocks[i], 7 * MIB), i);
    count("grown");
    for (int i = 0; i < many; i += 3)
        blocks[i] = mark(realloc(blocks[i], 5 * MIB), i);
}

static void aligned(int many)
{
    for (int i = 0; i < many; i++) {
        size_t align = (size_t)4096 << pick(11);
        blocks[i] = mark(aligned_alloc(align, 5 * MIB), i);
        CHECK((uintptr_t)blocks[i] % align == 0);
    }
    count("aligned");
    for (int i = 0; i < many; i += 2)
        give(i);
}

/* The program maps something of its own after each block. */
static void between(int many)
{
    for (int i = 0; i < many; i++) {
        blocks[i] = mark(malloc(5 * MIB), i);
        /* All of these are in one file's mapping, so they count little where they meet. */
        void *own = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(own != MAP_FAILED);
        if (i % 4)
            munmap(own, 4096);
    }
}

static void protected_in_turn(int many)
{
    take_all(many, 5 * MIB);
    for (int i = 0; i < many; i += 20) {
        CHECK(mprotect(blocks[i] + MIB, MIB, PROT_READ) == 0);
        give(i);
        if (i % 40 == 0)
            give(i + 1);
    }
    for (int i = 0; i < many; i += 20) {
        blocks[i] = mark(malloc(5 * MIB), i);
        memset(blocks[i] + MIB, 1, 4096);
    }
}

static void mapped_early(int many)
{
    CHECK(mallopt(M_MMAP_THRESHOLD, 64 << 10));
    take_all(many, 65 << 10);
    for (int i = 0; i < many; i += 2)
        give(i);
}

static const struct {
    const char *name;
    void (*run)(int);
    int many;
} PATTERNS[] = {
    {"every-other", every_other, BLOCKS}, {"at-random", at_random, 80000},
    {"growing", growing, 36000},          {"aligned", aligned, 80000},
    {"between", between, 60000},          {"protected", protected_in_turn, 60000},
    {"mapped-early", mapped_early, BLOCKS},
};

int main(int arguments, char **argument)
{
    CHECK(arguments == 2);
    for (size_t i = 0; i < sizeof PATTERNS / sizeof *PATTERNS; i++) {
        if (strcmp(argument[1], PATTERNS[i].name))
            continue;
        PATTERNS[i].run(PATTERNS[i].many);
        count("after the pattern");
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0);
        pthread_join(thread, NULL);
        for (int block = 0; block < BLOCKS; block++)
            if (blocks[block])
                give(block);
        malloc_trim(0);
        count("all freed");
        puts("ok");
        return 0;
    }
    return 1;
}
