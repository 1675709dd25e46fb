/*
 * What every program here shares: CHECK, the proof that slubmalloc is in charge, and a few gauges.
 *
 * A program prints "ok" and exits 0, or prints the failed line to stderr and exits 1; 77 means that
 * this machine cannot ask the question. Nothing here allocates, so it also works out of memory.
 */
#ifndef SLUBTEST_CHECK_H
#define SLUBTEST_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define CHECK(cond)                                                                               \
    do {                                                                                          \
        if (!(cond)) {                                                                            \
            dprintf(2, "%s:%d: CHECK(%s) failed, errno %d\n", __FILE__, __LINE__, #cond, errno);   \
            _exit(1);                                                                             \
        }                                                                                         \
    } while (0)

/* For loops over many cases: says which one. */
#define CHECK_AT(cond, number)                                                                    \
    do {                                                                                          \
        if (!(cond)) {                                                                            \
            dprintf(2, "%s:%d: CHECK(%s) failed at %zu, errno %d\n", __FILE__, __LINE__, #cond,    \
                    (size_t)(number), errno);                                                     \
            _exit(1);                                                                             \
        }                                                                                         \
    } while (0)

/* For what the loader answers. */
#define CHECK_DL(cond)                                                                            \
    do {                                                                                          \
        if (!(cond)) {                                                                            \
            dprintf(2, "%s:%d: CHECK(%s) failed: %s\n", __FILE__, __LINE__, #cond, dlerror());     \
            _exit(1);                                                                             \
        }                                                                                         \
    } while (0)

/* The same programs can be tried against libc; promises that it does not keep are then left out. */
static inline int libc_allowed(void) { return getenv("SLUBTEST_ALLOW_LIBC") != NULL; }

/* Without this a test that lost its preload would pass on libc. */
static inline void slubmalloc_is_in_charge(void) {
    Dl_info where;
    void *symbol = dlsym(RTLD_DEFAULT, "malloc");
    if (libc_allowed()) return;
    CHECK(symbol != NULL && dladdr(symbol, &where) != 0);
    CHECK(strstr(where.dli_fname, "slubmalloc") != NULL);
}

static inline int done(void) {
    CHECK(write(1, "ok\n", 3) == 3);
    return 0;
}

/* The compiler must assume that the memory is read and written elsewhere. */
static inline void *escape(void *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

static inline int aligned_to(const void *p, size_t align) { return ((uintptr_t)p & (align - 1)) == 0; }

/* The number after `key` in a /proc file, in the file's own unit. */
static inline size_t proc_number(const char *path, const char *key) {
    char text[8192];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    CHECK(length > 0);
    text[length] = 0;
    const char *at = strstr(text, key);
    CHECK(at != NULL);
    return strtoul(at + strlen(key), NULL, 10);
}

/* Resident bytes: exact, unlike the batched counters of /proc/self/statm. */
static inline size_t resident(void) { return proc_number("/proc/self/smaps_rollup", "Rss:") * KIB; }
static inline size_t peak_resident(void) { return proc_number("/proc/self/status", "VmHWM:") * KIB; }

/* splitmix64: the same numbers on every machine. */
static inline uint64_t random_of(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A pattern that differs for each block and position; every byte is written. The built-in copies are instructions where
 * programs are compiled without them: a call for each word takes ten times as long in an emulator. */
static inline void paint(void *p, size_t size, unsigned seed) {
    unsigned char *bytes = (unsigned char *)p;
    uint64_t word = seed * 0x9e3779b97f4a7c15u + 1;
    size_t at = 0;
    for (; at + 8 <= size; at += 8, word += 0x0101010101010101u) __builtin_memcpy(bytes + at, &word, 8);
    __builtin_memcpy(bytes + at, &word, size - at);
}

static inline int painted(const void *p, size_t size, unsigned seed) {
    const unsigned char *bytes = (const unsigned char *)p;
    uint64_t word = seed * 0x9e3779b97f4a7c15u + 1;
    size_t at = 0;
    for (; at + 8 <= size; at += 8, word += 0x0101010101010101u) {
        uint64_t there;
        __builtin_memcpy(&there, bytes + at, 8);
        if (there != word) return 0;
    }
    return memcmp(bytes + at, &word, size - at) == 0;
}

static inline int all_zero(const void *p, size_t size) {
    const unsigned char *bytes = (const unsigned char *)p;
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

#endif
