/* Allocates in a known way while the heap is profiled, and tells how much it really was:
   "live BYTES BLOCKS", "all BYTES BLOCKS", and "of START END BYTES BLOCKS" for what functions between two addresses have in use. */
#define _GNU_SOURCE
#include <slubmalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t live_bytes, live_blocks, all_bytes, all_blocks;

static void *counted(void *block, size_t bytes) {
    live_bytes += bytes, all_bytes += bytes, live_blocks++, all_blocks++;
    if (block == NULL) exit(3);
    return block;
}

static void freed(void *block, size_t bytes) {
    live_bytes -= bytes, live_blocks--;
    free(block);
}

/* What it allocates stays. It is no longer than LEAK bytes of code. */
enum { LEAK = 64 };
__attribute__((noinline, aligned(64))) void *leak(size_t bytes) {
    void *volatile block = malloc(bytes);
    return block;
}

static void pairs(void) {
    for (int i = 0; i < 2000000; i++) {
        void *volatile block = counted(malloc(64), 64);
        freed(block, 64);
    }
}

/* Many blocks at once, and then all of them go; between two bursts one small block leaks. */
static void bursts(void) {
    enum { BURST = 1000 };
    static void *blocks[BURST];
    size_t bytes = 0, count = 0;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < BURST; i++) blocks[i] = counted(malloc(200), 200);
        for (int i = 0; i < 100; i++, bytes += 400, count++) counted(leak(400), 400);
        for (int i = 0; i < BURST; i++) freed(blocks[i], 200);
    }
    printf("of %p %p %zu %zu\n", (void *)leak, (void *)((char *)leak + LEAK), bytes, count);
}

/* The same number of bytes of each size. */
static void sizes(void) {
    static const size_t all[] = {16, 100, 1000, 5000, 40000, 60000, 300000, 2 << 20, 5 << 20, 64 << 20};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (size_t bytes = 0; bytes < 64 << 20; bytes += all[i]) {
            void *volatile block = counted(i % 2 ? calloc(1, all[i]) : malloc(all[i]), all[i]);
            (void)block;
        }
    }
}

/* Blocks that grow, by small steps and by large ones: what is in use in the end. */
static void growth(void) {
    for (int i = 0; i < 3000; i++) {
        char *block = NULL;
        size_t bytes = 0, most = 1000 + (size_t)i * 37 % 30000;
        while (bytes < most) block = realloc(block, bytes += 24 + bytes / 4);
        live_bytes += bytes, live_blocks++;
        if (block == NULL) exit(3);
    }
    for (int i = 0; i < 20; i++) {
        char *block = malloc(1 << 20);
        size_t bytes = 1 << 20;
        while (bytes < 40 << 20) block = realloc(block, bytes += 3 << 20);
        live_bytes += bytes, live_blocks++;
        if (block == NULL) exit(3);
    }
    all_bytes = all_blocks = 0;
}

/* Arguments: what to do, the rate, the file for the profile. */
int main(int count, char **arguments) {
    if (count < 4 || slubmalloc_profile(strtoul(arguments[2], NULL, 0)) != 0) return 2;
    void (*const run)(void) = strcmp(arguments[1], "pairs") == 0    ? pairs
                              : strcmp(arguments[1], "bursts") == 0 ? bursts
                              : strcmp(arguments[1], "sizes") == 0  ? sizes
                                                                    : growth;
    run();
    if (slubmalloc_profile(0) != 0 || slubmalloc_profile_dump(arguments[3]) != 0) return 4;
    printf("live %zu %zu\n", live_bytes, live_blocks);
    if (all_bytes) printf("all %zu %zu\n", all_bytes, all_blocks);
    return 0;
}
