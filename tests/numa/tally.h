/*
 * Where pages really are: asked of the kernel by move_pages without a target, never of the library.
 *
 * A page counts once, however many blocks lie on it. One tally at a time.
 */
#ifndef SLUBTEST_TALLY_H
#define SLUBTEST_TALLY_H

#include "numa.h"

struct tally {
    size_t pages, absent, on[MAX_NODES];
};

#define BATCH 1024
/* Room for 700 MiB of pages at two thirds full. */
#define SEEN ((size_t)1 << 18)

static uintptr_t seen[SEEN];
static void *batch[BATCH];
static size_t batched;

static inline struct tally tally_begin(void) {
    memset(seen, 0, sizeof seen);
    return (struct tally){0};
}

static inline void tally_end(struct tally *tally) {
    int status[BATCH];
    if (batched == 0) return;
    CHECK(syscall(SYS_move_pages, 0, batched, batch, NULL, status, 0) == 0);
    for (size_t i = 0; i < batched; i++) {
        tally->pages++;
        if (status[i] >= 0 && status[i] < MAX_NODES) tally->on[status[i]]++;
        else tally->absent++;
    }
    batched = 0;
}

static inline int is_new(uintptr_t page) {
    size_t at = (page / PAGE * 0x9e3779b97f4a7c15u) >> 46;
    for (size_t tries = 0; tries < SEEN; tries++, at = (at + 1) % SEEN) {
        if (seen[at] == page) return 0;
        if (seen[at] == 0) {
            seen[at] = page;
            return 1;
        }
    }
    CHECK(!"more pages than a tally has room for");
    return 0;
}

/* Counts the pages of a block that was touched. */
static inline void tally_block(struct tally *tally, const void *block, size_t bytes) {
    uintptr_t page = (uintptr_t)block & ~(PAGE - 1), end = (uintptr_t)block + bytes;
    for (; page < end; page += PAGE) {
        if (!is_new(page)) continue;
        batch[batched++] = (void *)page;
        if (batched == BATCH) tally_end(tally);
    }
}

static inline double share_of(const struct tally *tally, set_t nodes) {
    size_t pages = 0;
    EACH_OF(nodes, node) pages += tally->on[node];
    return tally->pages ? 100.0 * (double)pages / (double)tally->pages : 0;
}

/* "node 0: 1200, node 2: 3" */
static inline const char *spread(const struct tally *tally) {
    static char text[256];
    int length = 0;
    text[0] = 0;
    EACH_OF(~(set_t)0, node)
        if (tally->on[node] && length < 200)
            length += snprintf(text + length, sizeof text - (size_t)length, "%snode %d: %zu", length ? ", " : "",
                               node, tally->on[node]);
    if (tally->absent) snprintf(text + length, sizeof text - (size_t)length, ", absent: %zu", tally->absent);
    return text;
}

/* At least `least` per cent of the pages are on these nodes. */
static inline int judge_share(const char *name, const struct tally *tally, set_t nodes, double least) {
    return verdict(tally->pages && share_of(tally, nodes) >= least, name, "%.2f %% of %zu pages where they belong (%s)",
                   share_of(tally, nodes), tally->pages, spread(tally));
}

/* The pages are only on these nodes, on each the same number but for `slack` per cent of all. */
static inline int judge_even(const char *name, const struct tally *tally, set_t nodes, double slack) {
    double fair = 100.0 / __builtin_popcountll(nodes), worst = 0;
    EACH_OF(nodes, node) {
        double off = share_of(tally, only(node)) - fair;
        if (off < 0) off = -off;
        if (off > worst) worst = off;
    }
    return verdict(tally->pages && worst <= slack && share_of(tally, nodes) == 100.0, name,
                   "%zu pages, at most %.2f points from even (%s)", tally->pages, worst, spread(tally));
}

#endif
