/*
 * What the storms share: blocks that know their contents, a turn of work on a shelf of them, a watchdog, the plateau of
 * resident memory.
 *
 * argv[1] is how much of it: a number of events, or of seconds where a storm says so. Everything that a storm finds is
 * one line on `complaints`, standard error unless the storm silences that.
 */
#ifndef SLUBTEST_STORM_H
#define SLUBTEST_STORM_H

#include "check.h"

static int complaints = 2;

/* A line in one piece: several threads may fail at once, and dprintf writes in several. */
#define COMPLAIN(...)                                                                                     \
    do {                                                                                                  \
        char line[512];                                                                                   \
        int length = snprintf(line, sizeof line, __VA_ARGS__);                                            \
        if (length > 0 && write(complaints, line, (size_t)length < sizeof line ? (size_t)length : 511) < 0) _exit(2); \
        _exit(1);                                                                                         \
    } while (0)

/* As in check.h, to where a storm complains; defined before back.h, which then complains there, too. */
#undef CHECK
#undef CHECK_AT
#define CHECK(cond)                                                                                       \
    do {                                                                                                  \
        if (!(cond)) COMPLAIN("%s:%d: CHECK(%s) failed, errno %d\n", __FILE__, __LINE__, #cond, errno);   \
    } while (0)
#define CHECK_AT(cond, number)                                                                            \
    do {                                                                                                  \
        if (!(cond))                                                                                      \
            COMPLAIN("%s:%d: CHECK(%s) failed at %zu, errno %d\n", __FILE__, __LINE__, #cond,             \
                     (size_t)(number), errno);                                                            \
    } while (0)

#include "back.h"
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

/* How long a process may take over anything before it counts as hung. The test's own patience is longer. */
#ifndef PATIENCE_SECONDS
#define PATIENCE_SECONDS 60
#endif

/* A block's contents follow from its size and seed; up to NEAR every byte is written, beyond that one word in STRIDE. */
enum { NEAR = 512, STRIDE = 1000, TAIL = 8 };

struct block {
    unsigned char *at;
    size_t size;
    uint32_t seed;
};

static inline uint64_t word_at(struct block block, size_t place) {
    return (block.seed + place) * 0x9e3779b97f4a7c15u + 1;
}

static inline size_t next_place(size_t place) { return place < NEAR ? place + 8 : place + STRIDE; }

static inline size_t tail_of(struct block block) { return block.size < 2 * TAIL ? 0 : block.size - TAIL; }

static inline void mark(struct block block) {
    for (size_t place = 0; place + 2 * TAIL <= block.size; place = next_place(place)) {
        uint64_t word = word_at(block, place);
        memcpy(block.at + place, &word, sizeof word);
    }
    for (size_t place = tail_of(block); place < block.size; place++)
        block.at[place] = (unsigned char)(word_at(block, place) >> 32);
}

/* Checks what stands in the first `length` bytes; of a block that was cut, there is no tail. */
static inline void is_marked_up_to(struct block block, size_t length) {
    for (size_t place = 0; place + 2 * TAIL <= block.size && place + TAIL <= length; place = next_place(place)) {
        uint64_t word = word_at(block, place);
        CHECK_AT(memcmp(block.at + place, &word, sizeof word) == 0, place);
    }
    for (size_t place = tail_of(block); place < length; place++)
        CHECK_AT(block.at[place] == (unsigned char)(word_at(block, place) >> 32), place);
}

static inline void is_marked(struct block block) { is_marked_up_to(block, block.size); }

/* Seven in ten small, one in two hundred of a hundred KiB and more, one in a thousand a mapping of its own. */
static inline size_t any_size(uint64_t *random) {
    uint64_t kind = random_of(random) % 1000;
    size_t most = kind < 700 ? 512 : kind < 930 ? 8192 : kind < 995 ? 65536 : kind < 999 ? MIB : 6 * MIB;
    return 1 + random_of(random) % most;
}

/* May be null, with ENOMEM and nothing else. What comes from calloc is zero, what is aligned is aligned. */
static inline struct block try_to_make(uint64_t *random, size_t size) {
    struct block block = {NULL, size, (uint32_t)random_of(random)};
    size_t align = 16;
    errno = 0;
    switch (random_of(random) % 8) {
    case 0:
        block.at = calloc(1, size);
        for (size_t place = 0; block.at != NULL && place < size; place = next_place(place))
            CHECK_AT(block.at[place] == 0, place);
        break;
    case 1:
        align = (size_t)16 << random_of(random) % 9;
        block.at = memalign(align, size);
        break;
    default: block.at = malloc(size);
    }
    if (block.at == NULL) {
        CHECK_AT(errno == ENOMEM, size);
        return block;
    }
    CHECK(aligned_to(block.at, align));
    mark(block);
    return block;
}

static inline struct block make(uint64_t *random, size_t size) {
    struct block block = try_to_make(random, size);
    CHECK_AT(block.at != NULL, size);
    return block;
}

static inline void unmake(struct block *block) {
    if (block->at == NULL) return;
    is_marked(*block);
    /* What remains is nobody's mark: a block that is handed out twice shows in the other's contents. */
    memset(block->at, 0x5a, block->size < 64 ? block->size : 64);
    free(block->at);
    block->at = NULL;
}

/* A refused one leaves the block as it was; says whether it was not. */
static inline int try_to_resize(struct block *block, uint64_t *random, size_t size) {
    errno = 0;
    unsigned char *moved = realloc(block->at, size);
    if (moved == NULL) {
        CHECK_AT(errno == ENOMEM, size);
        is_marked(*block);
        return 0;
    }
    block->at = moved;
    is_marked_up_to(*block, size < block->size ? size : block->size);
    block->size = size;
    block->seed = (uint32_t)random_of(random);
    mark(*block);
    return 1;
}

/* One operation on a shelf of blocks: a random one is checked and replaced, or resized. */
static inline void turn(struct block *shelf, size_t count, uint64_t *random) {
    struct block *block = &shelf[random_of(random) % count];
    size_t size = any_size(random);
    if (block->at != NULL && random_of(random) % 4 == 0) {
        CHECK_AT(try_to_resize(block, random, size), size);
        return;
    }
    unmake(block);
    *block = make(random, size);
}

static inline void turns(struct block *shelf, size_t count, uint64_t *random, int number) {
    while (number-- > 0) turn(shelf, count, random);
}

static inline void clear(struct block *shelf, size_t count) {
    for (size_t i = 0; i < count; i++) unmake(&shelf[i]);
}

/* What happens on an alarm; a child has to set its own. */
static inline void hangs(int unused) {
    (void)unused;
    static const char words[] = "hung: killed by its own watchdog\n";
    ssize_t written = write(complaints, words, sizeof words - 1);
    _exit(written < 0 ? 3 : 2);
}

static inline void watchdog(unsigned seconds) {
    struct sigaction action = {.sa_handler = hangs};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    alarm(seconds);
}

/* To be called by threads that make progress, so that a slow machine does not count. A child's own watchdog is quicker. */
static inline void gets_on(void) { alarm(2 * PATIENCE_SECONDS); }

/* The amount of the storm, argv[1]. */
static inline size_t amount(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc >= 2);
    size_t amount = strtoul(argv[1], NULL, 10);
    CHECK(amount > 0);
    return amount;
}

static inline void ends_with(pid_t pid, int code) {
    int status;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK_AT(!WIFSIGNALED(status), WTERMSIG(status));
    CHECK_AT(WIFEXITED(status) && WEXITSTATUS(status) == code, WEXITSTATUS(status) * 1000 + code);
}

/* Resident memory in the second quarter of a storm, and in the last: the largest of sixteen readings each. */
struct plateau {
    size_t all;
    atomic_size_t early, late;
};

static inline void raise_to(atomic_size_t *most, size_t value) {
    size_t before = *most;
    while (before < value && !atomic_compare_exchange_weak(most, &before, value)) {}
}

/* To be called once for each number from 1 to `all`, by any thread. */
static inline void look(struct plateau *plateau, size_t number) {
    size_t place = number * 64 / plateau->all;
    if (place == (number - 1) * 64 / plateau->all) return;
    if (place >= 16 && place < 32) raise_to(&plateau->early, resident());
    if (place >= 48) raise_to(&plateau->late, resident());
}

/* Whether memory that grows is a fault: libc does not promise, but a storm with a fault in it has to notice. */
#ifdef FAULT
static inline int level_is_promised(void) { return 1; }
#else
static inline int level_is_promised(void) { return !libc_allowed(); }
#endif

/* A quarter more and 32 MiB are for what is alive or unused by chance, and for huge pages. */
static inline void is_level(struct plateau *plateau) {
    size_t early = plateau->early, late = plateau->late, most = early + early / 4 + 32 * MIB;
    say("resident: %zu KiB early, %zu KiB late\n", early / KIB, late / KIB);
    CHECK(early > 0 && late > 0);
    CHECK_AT(!level_is_promised() || late <= most, late / KIB);
}

#endif
