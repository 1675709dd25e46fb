/*
 * What the programs about memory that goes back share: bursts of blocks of many sizes, the process's threads, waiting.
 *
 * A burst keeps its own books in a mapping of their own, so that the heap under test holds only the blocks; every
 * block is written when it is made, and looked at when it is freed. Figures go to stdout, to explain a failure.
 */
#ifndef SLUBTEST_BACK_H
#define SLUBTEST_BACK_H

#include "check.h"
#include <dirent.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#define PURGE_THREAD "slub-purge"

/* A figure on stdout; dprintf would allocate. */
__attribute__((format(printf, 1, 2)))
static inline void say(const char *format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    CHECK(length > 0 && length < (int)sizeof line && write(1, line, (size_t)length) == length);
}

static inline void rest(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&time, &time) != 0) CHECK(errno == EINTR);
}

static inline double now(void) {
    struct timespec time;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Waits for a condition for at most `seconds`; returns whether it came. */
#define COMES(cond, seconds)                                                                      \
    ({                                                                                            \
        double end_ = now() + (seconds);                                                          \
        int came_ = 0;                                                                            \
        while (!(came_ = (cond)) && now() < end_) rest(20);                                       \
        came_;                                                                                    \
    })

/* As CHECK, for bytes that may be resident; says how many are. */
#define RESIDENT_AT_MOST(most)                                                                    \
    do {                                                                                          \
        size_t resident_ = resident();                                                            \
        say("line %d: %zu KiB resident, at most %zu\n", __LINE__, resident_ / KIB,                \
            (size_t)(most) / KIB);                                                                \
        CHECK_AT(libc_allowed() || resident_ <= (most), resident_ / KIB);                         \
    } while (0)

#define RESIDENT_AT_LEAST(least)                                                                  \
    do {                                                                                          \
        size_t resident_ = resident();                                                            \
        say("line %d: %zu KiB resident, at least %zu\n", __LINE__, resident_ / KIB,               \
            (size_t)(least) / KIB);                                                               \
        CHECK_AT(libc_allowed() || resident_ >= (least), resident_ / KIB);                        \
    } while (0)

static inline size_t threads(void) { return proc_number("/proc/self/status", "Threads:"); }

/* The id of one of this process's threads with that name, or 0. */
static inline long thread_named(const char *name) {
    _Alignas(struct dirent64) char entries[4096];
    int tasks = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(tasks >= 0);
    long found = 0, length;
    while (found == 0 && (length = syscall(SYS_getdents64, tasks, entries, sizeof entries)) > 0)
        for (long at = 0; found == 0 && at < length;) {
            struct dirent64 *entry = (struct dirent64 *)(entries + at);
            char path[300], text[32];
            at += entry->d_reclen;
            snprintf(path, sizeof path, "%s/comm", entry->d_name);
            int fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
            /* It may have ended meanwhile. */
            ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
            if (fd >= 0) close(fd);
            if (got < 1) continue;
            text[got - 1] = 0;
            if (strcmp(text, name) == 0) found = atol(entry->d_name);
        }
    close(tasks);
    return found;
}

struct piece {
    void *at;
    uint32_t size, seed;
};

struct burst {
    struct piece *pieces;
    size_t count, bytes, room, smallest, largest;
    uint64_t random;
};

/* Nothing yet, to be grown to `most` bytes at most. */
static inline struct burst new_burst(size_t most, size_t smallest, size_t largest, uint64_t seed) {
    struct burst burst = {NULL, 0, 0, most / smallest + 1, smallest, largest, seed};
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    burst.pieces = mmap(NULL, burst.room * sizeof *burst.pieces, PROT_READ | PROT_WRITE, flags, -1, 0);
    CHECK(burst.pieces != MAP_FAILED);
    return burst;
}

/* As many bytes of small blocks as of large ones: the number of blocks falls with the square of their size. */
static inline size_t size_in(struct burst *burst) {
    double place = (double)(random_of(&burst->random) >> 11) / (double)(1ull << 53);
    double ratio = (double)burst->smallest / (double)burst->largest;
    return (size_t)((double)burst->smallest / (1 - place * (1 - ratio)));
}

static inline void grow_to(struct burst *burst, size_t bytes) {
    while (burst->bytes < bytes) {
        CHECK(burst->count < burst->room);
        struct piece piece = {NULL, (uint32_t)size_in(burst), (uint32_t)random_of(&burst->random)};
        CHECK((piece.at = malloc(piece.size)) != NULL);
        paint(piece.at, piece.size, piece.seed);
        burst->bytes += piece.size;
        burst->pieces[burst->count++] = piece;
    }
}

static inline void is_whole(struct burst *burst) {
    for (size_t i = 0; i < burst->count; i++) {
        struct piece piece = burst->pieces[i];
        CHECK_AT(painted(piece.at, piece.size, piece.seed), i);
    }
}

/* Frees all but `kept` blocks, in random order. */
static inline void shrink_to(struct burst *burst, size_t kept) {
    for (size_t left = burst->count; left > kept; left--) {
        struct piece *chosen = &burst->pieces[random_of(&burst->random) % left], piece = *chosen;
        *chosen = burst->pieces[left - 1];
        CHECK_AT(painted(piece.at, piece.size, piece.seed), left);
        burst->bytes -= piece.size;
        free(piece.at);
    }
    burst->count = kept;
    /* The books shrink, too. */
    size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (kept * sizeof *burst->pieces + page - 1) / page * page;
    size_t all = burst->room * sizeof *burst->pieces;
    CHECK(used >= all || madvise((char *)burst->pieces + used, all - used, MADV_DONTNEED) == 0);
}

static inline void end_burst(struct burst *burst) {
    shrink_to(burst, 0);
    CHECK(munmap(burst->pieces, burst->room * sizeof *burst->pieces) == 0);
}

/* Makes and frees `bytes` of blocks of many sizes; `full` is called between. */
static inline void burst_of(size_t bytes, size_t smallest, size_t largest, uint64_t seed, void (*full)(void)) {
    struct burst burst = new_burst(bytes, smallest, largest, seed);
    grow_to(&burst, bytes);
    if (full != NULL) full();
    end_burst(&burst);
}

/* What a program does that has nothing more to do: 100 blocks of 16 to 512 bytes come and go. */
static inline void a_little_work(void) {
    static _Thread_local uint64_t random = 100;
    void *blocks[100];
    for (int i = 0; i < 100; i++) {
        size_t size = 16 + random_of(&random) % 497;
        CHECK((blocks[i] = malloc(size)) != NULL);
        memset(blocks[i], i, size);
    }
    for (int i = 0; i < 100; i++) free(blocks[i]);
}

/* The same pattern of calls for threads that wait for each other. */
static inline void start(pthread_t *threads, int count, void *(*work)(void *)) {
    pthread_attr_t small_stack;
    CHECK(pthread_attr_init(&small_stack) == 0 && pthread_attr_setstacksize(&small_stack, 64 * KIB) == 0);
    for (int i = 0; i < count; i++)
        CHECK_AT(pthread_create(&threads[i], &small_stack, work, (void *)(uintptr_t)(i + 1)) == 0, i);
    CHECK(pthread_attr_destroy(&small_stack) == 0);
}

static inline void join(pthread_t *threads, int count) {
    for (int i = 0; i < count; i++) CHECK_AT(pthread_join(threads[i], NULL) == 0, i);
}

#endif
