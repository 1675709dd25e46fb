/* What the programs here share. */
#ifndef SLUBTEST_POOL_H
#define SLUBTEST_POOL_H

#include "../kmem/kmem.h"

static inline struct slub_pool *pool_with(const char *name, size_t limit, struct slub_pool *parent, unsigned flags) {
    struct slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
    options.name = name;
    options.limit = limit;
    options.parent = parent;
    options.flags = flags;
    struct slub_pool *pool = slub_pool_create(&options);
    CHECK(pool != NULL);
    return pool;
}

static inline unsigned next_random(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

#endif
