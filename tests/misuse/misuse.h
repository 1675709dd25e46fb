/*
 * What every misuse shares. A program says on stdout how far it came, a word a line, before each step:
 *
 *     misuse     the guilty act itself
 *     free     the damaged block is freed
 *     realloc  the damaged block is resized
 *     flush    neighbours are freed, so that slabs take back what caches hold
 *     reuse    the program goes on: thousands of blocks are allocated, filled, compared and freed
 *     exit     main returns
 *
 * so that the last word is where it was caught. Other words: "blame BLOCK FROM TO" names the block and the guilty
 * addresses, "pattern" means that what was read gives itself away, "again" that the block has a new owner before the
 * misuse, "damaged" that blocks of an honest program overlapped afterwards, "got away" that all was well.
 */
#ifndef SLUBTEST_MISUSE_H
#define SLUBTEST_MISUSE_H

#include "../violations/violation.h"
#include <pthread.h>
#include <spawn.h>

/*
 * Reports name functions and lines by a shell and addr2line for each frame: half a second that no question here needs.
 * Linked with -rdynamic, this program has no such function.
 */
#ifdef __cplusplus
extern "C"
#endif
int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
    (void)pid, (void)path, (void)actions, (void)attributes, (void)arguments, (void)environment;
    return ENOENT;
}

static inline void stage(const char *word) { dprintf(1, "%s\n", word); }

/* The block at fault, and the addresses that are written, read or freed. */
static inline void blame(const void *block, const void *from, size_t length) {
    struct rlimit no_core = {0, 0};
    CHECK(setrlimit(RLIMIT_CORE, &no_core) == 0);
    dprintf(1, "blame %p %p %p\n", block, from, (const void *)((const char *)from + length));
}

/* As stage("misuse"), after blame for a pointer that is freed. */
static inline void *guilty(void *pointer) {
    blame(pointer, pointer, 1);
    stage("misuse");
    return escape(pointer);
}

static inline int is(const char *word, const char *other) { return strcmp(word, other) == 0; }

/* Up to `bytes` in blocks of this size, but no fewer than `least` and no more than `most`. */
static inline int how_many(size_t size, size_t bytes, int least, int most) {
    size_t count = bytes / (size + 1);
    return count < (size_t)least ? least : count > (size_t)most ? most : (int)count;
}

/* Honest neighbours of every size: enough to overflow what caches keep of a class. */
static int neighbour_count;
static inline void settle_around(size_t size) {
    neighbour_count = how_many(size, 8 * MIB, size > 4 * MIB ? 3 : 40, NEIGHBOURS);
    for (int i = 0; i < neighbour_count; i++) CHECK((neighbours[i] = malloc(size)) != NULL);
}

static inline void flush_around(void) {
    stage("flush");
    for (int i = 0; i < neighbour_count; i++) free(neighbours[i]);
}

/* One from the middle of the neighbours, now the culprit's. */
static inline char *one_of_them(void) {
    char *block = (char *)neighbours[neighbour_count / 2];
    neighbours[neighbour_count / 2] = NULL;
    return block;
}

enum { SURVIVORS = 3000 };

/* Of long blocks the two ends will do: no other block is only in between. */
static inline void paint_ends(void *block, size_t size, unsigned seed) {
    size_t end = size > 64 * KIB ? 32 * KIB : size;
    paint(block, end, seed);
    paint((char *)block + size - end, end, seed);
}

static inline int painted_ends(const void *block, size_t size, unsigned seed) {
    size_t end = size > 64 * KIB ? 32 * KIB : size;
    return painted(block, end, seed) && painted((const char *)block + size - end, end, seed);
}

/* An honest program: blocks of size `size` and of all others, all different and all its own. */
static inline void *honest(void *pointer) {
    size_t size = *(size_t *)pointer;
    static const size_t others[] = {16, 40, 64, 200, 1000, 3000, 9000, 50000};
    static __thread void *blocks[SURVIVORS];
    static __thread size_t sizes[SURVIVORS];
    int count = 0, same = how_many(size, 2 * MIB, 2, SURVIVORS / 2);
    for (int i = 0; i < same; i++) sizes[count++] = size;
    for (int i = 0; i < 800; i++) sizes[count++] = others[i % (i % 16 ? 5 : 8)];
    sizes[count++] = 5 * MIB;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < count; i++) CHECK((blocks[i] = malloc(sizes[i])) != NULL);
        for (int i = 0; i < count; i++) paint_ends(blocks[i], sizes[i], i);
        for (int i = 0; i < count; i++)
            if (!painted_ends(blocks[i], sizes[i], i)) {
                stage("damaged");
                _exit(3);
            }
        for (int i = 0; i < count; i++) free(blocks[round == 0 ? i : count - 1 - i]);
    }
    return NULL;
}

/* The program goes on, in this thread and in another, and its blocks must be its own. */
static inline void go_on(size_t size) {
    pthread_t thread;
    stage("reuse");
    honest(&size);
    CHECK(pthread_create(&thread, NULL, honest, &size) == 0 && pthread_join(thread, NULL) == 0);
    got_away();
}

/* To be returned by main. */
static inline int leave(void) {
    stage("exit");
    return 0;
}

/* Volatile, so that no compiler and no memset does more or less than is told. */
static inline void scribble(char *from, size_t length, char value) {
    for (size_t i = 0; i < length; i++) ((volatile char *)from)[i] = value;
}

/* Says so if all that lies there is this byte. */
static inline void look_for(const char *from, size_t length, unsigned char value) {
    for (size_t i = 0; i < length; i++)
        if (((const volatile unsigned char *)from)[i] != value) return;
    stage("pattern");
}

#endif
